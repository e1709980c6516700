"""The studies by name. Overlap and retention look at the same plain images, which are generated once and read twice."""

from collections.abc import Callable
from typing import Any

from heedful.guidance import NONE
from heedful.lab import evenness_study, overlap_study, retention_study
from heedful.lab.evenness_objects import ObjectReader
from heedful.lab.study import Study
from heedful.lab.watch import Read, Seen


def _of_plain(name: str, ask: Callable[..., dict[str, Any]]) -> Study:
    return Study(
        name=name,
        methods=(NONE,),
        values="steps",
        reader=_step_reader,
        ask=lambda records, trial: ask(records[NONE.name], trial),
    )


def _step_reader() -> Read:
    def read(seen: Seen) -> dict[str, Any]:
        return overlap_study.read(seen) | retention_study.read(seen)

    return read


STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        _of_plain("overlap", overlap_study.figures),
        _of_plain("retention", retention_study.figures),
        Study(
            name="evenness",
            methods=(*evenness_study.OBSERVED, *evenness_study.CAUSAL),
            values="objects",
            reader=ObjectReader,
            ask=evenness_study.figures,
        ),
    )
}
