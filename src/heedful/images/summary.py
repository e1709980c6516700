"""How a run went, in one line per method.

Knows counts, times, losses and verdicts. Knows nothing of how they are shown.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean

from PIL import Image

from heedful.images.gallery import read_entry
from heedful.images.generate import Made
from heedful.images.judges import Judge
from heedful.images.plan import Case


@dataclass(frozen=True)
class Line:
    """What one method did."""

    method: str
    images: int
    """All that are there now, of this run and of earlier ones."""
    made: int
    """Those of this run."""
    seconds_per_image: float | None
    """Of this run; None if it made none."""
    loss: float | None
    """Mean of the last losses of all images; None without a loss."""
    success: float | None
    """Share of images that show every concept exactly once in its colour, in [0, 1]; None where nobody can judge."""


def summarize(cases: Sequence[Case], made: Iterable[Made], judge: Judge | None = None) -> list[Line]:
    """Return a line per method for those of `cases` whose images are there, in the order of the methods."""
    times: dict[str, list[float]] = {}
    for one in made:
        times.setdefault(one.case.method.name, []).append(one.seconds)
    lines = []
    for name, group in groupby(cases, key=lambda case: case.method.name):
        there = [case for case in group if case.path.exists()]
        entries = (read_entry(case.path) for case in there)
        losses = [entry.notes["loss"] for entry in entries if entry is not None and entry.notes["loss"] is not None]
        seconds = times.get(name, [])
        lines.append(
            Line(
                method=name,
                images=len(there),
                made=len(seconds),
                seconds_per_image=fmean(seconds) if seconds else None,
                loss=fmean(losses) if losses else None,
                success=_success(there, judge),
            )
        )
    return lines


def _success(cases: Sequence[Case], judge: Judge | None) -> float | None:
    """Return the share of `cases` that succeed, among those that can be judged."""
    verdicts: list[bool] = []
    if judge is not None:
        for text, group in groupby(cases, key=lambda case: case.prompt.text):
            images = [Image.open(case.path).convert("RGB") for case in group]
            verdicts += judge(images, text) or []
    return fmean(verdicts) if verdicts else None
