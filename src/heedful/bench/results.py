"""What a benchmark found: one value per case and score, in tables that can be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from heedful.bench.folder import BenchFolder
from heedful.bench.records import read_records
from heedful.errors import SettingsError
from heedful.scores import Comparison, Estimate, Range, compare, estimate

DONE = "done"


@dataclass(frozen=True, kw_only=True)
class Result:
    """The record of one case."""

    suite: str
    prompt: str
    kind: str
    method: str
    seed: int
    image: str | None
    """Relative to the folder, with slashes."""
    error: str | None
    """Why it failed; None for a case that is done."""
    scores: Mapping[str, float | None]
    cost: float | None
    """Operations relative to plain sampling."""
    seconds: float | None
    concepts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Results:
    """All cases of a folder, and the runs that made them."""

    folder: Path
    cases: tuple[Result, ...]
    runs: tuple[Mapping[str, Any], ...]

    @cached_property
    def done(self) -> tuple[Result, ...]:
        """The cases that did not fail."""
        return tuple(case for case in self.cases if case.error is None)

    @property
    def failed(self) -> tuple[Result, ...]:
        """The others."""
        return tuple(case for case in self.cases if case.error is not None)

    @property
    def suites(self) -> tuple[str, ...]:
        """Each suite once, as they come."""
        return tuple(dict.fromkeys(case.suite for case in self.cases))

    @property
    def methods(self) -> tuple[str, ...]:
        """Each method once, as they come; `none` first."""
        names = dict.fromkeys(case.method for case in self.cases)
        return tuple(sorted(names, key=lambda name: name != "none"))

    @property
    def scores(self) -> tuple[str, ...]:
        """Each score of which there is at least one number, as they come."""
        return tuple(
            dict.fromkeys(name for case in self.done for name, value in case.scores.items() if value is not None)
        )

    def of(self, **fields: str) -> "Results":
        """Return only the cases with these values, such as `suite="world-two"`."""
        kept = (case for case in self.cases if all(getattr(case, name) == value for name, value in fields.items()))
        return replace(self, cases=tuple(kept))

    def values(self, method: str, score: str) -> dict[tuple[str, int], float]:
        """Return a score of one method by prompt and seed, where there is a number."""
        return {
            (case.prompt, case.seed): float(value)
            for case in self._by_method.get(method, ())
            if (value := case.scores.get(score)) is not None
        }

    @cached_property
    def _by_method(self) -> Mapping[str, Sequence[Result]]:
        """The done cases of each method, sorted once: a page asks for many scores of each."""
        found: dict[str, list[Result]] = {}
        for case in self.done:
            found.setdefault(case.method, []).append(case)
        return found

    def path(self, case: Result) -> Path | None:
        """Return the image of a case, or None if it is not there, or only as a link out of the folder."""
        if case.image is None:
            return None
        path = self.folder / case.image
        return path if path.is_file() and path.resolve().is_relative_to(self.folder.resolve()) else None


def read_results(folder: Path) -> Results:
    """Read what a benchmark has written into `folder`, also while a run goes on.

    Raises `SettingsError` for a folder without records, and what `read_records` raises.
    """
    rows = {row["key"]: row for row in read_records(folder)}
    if not rows:
        raise SettingsError(
            f"Expected records of a benchmark in {folder / 'records'}, found none. "
            "Name the folder that `heedful bench run` has written to."
        )
    cases = tuple(_result(folder, row) for row in rows.values())
    return Results(folder, cases, tuple(BenchFolder(folder).runs()))


def summarize_score(values: Mapping[tuple[str, int], float], within: Range) -> Estimate:
    """Return the mean over prompts of their means over seeds, with its 95 % interval; `within` is the score's range."""
    means = _by_prompt(values)
    return replace(estimate(means[:, None], within), count=len(values))


def compare_scores(
    baseline: Mapping[tuple[str, int], float], treated: Mapping[tuple[str, int], float], within: Range
) -> Comparison | None:
    """Compare two methods on the prompts and seeds that both have; None if there are none.

    `within` is the score's range. `gained` and `lost` count images whose value is higher and lower than the baseline's.
    """
    common = [case for case in baseline if case in treated]
    if not common:
        return None
    pairs = [{case: values[case] for case in common} for values in (baseline, treated)]
    change = np.array([pairs[1][case] - pairs[0][case] for case in common])
    found = compare(_by_prompt(pairs[0])[:, None], _by_prompt(pairs[1])[:, None], within)
    return replace(
        found,
        difference=replace(found.difference, count=len(common)),
        gained=int((change > 0).sum()),
        lost=int((change < 0).sum()),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Holm 1979): several methods have several chances to look better."""
    order = np.argsort(p_values, kind="stable")
    corrected = np.empty(len(p_values))
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected.tolist()


def _by_prompt(values: Mapping[tuple[str, int], float]) -> np.ndarray:
    """Return each prompt's mean over its seeds, which need not be as many for every prompt."""
    prompts: dict[str, list[float]] = {}
    for (prompt, _), value in values.items():
        prompts.setdefault(prompt, []).append(value)
    return np.array([np.mean(each) for each in prompts.values()])


def _result(folder: Path, row: Mapping[str, Any]) -> Result:
    try:
        return Result(
            suite=str(row["suite"]),
            prompt=str(row["prompt"]),
            kind=str(row["kind"]),
            method=str(row["method"]),
            seed=int(row["seed"]),
            image=row["image"],
            error=None if row["status"] == DONE else str(row["error"]),
            scores=row["scores"],
            cost=row.get("cost"),
            seconds=row.get("seconds"),
            concepts=tuple(map(str, row.get("concepts", ()))),
        )
    except (KeyError, TypeError, ValueError) as reason:
        raise SettingsError(
            f"Expected a whole record under the key {row['key']} in {folder / 'records'}, but {reason} is missing or "
            "of another kind. Remove that line, and its case is made again."
        ) from reason
