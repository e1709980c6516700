"""What the page of a benchmark says in numbers: each method's scores, its difference from the baseline, its cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from heedful.bench import Results, compare_scores, holm, summarize_score
from heedful.errors import SettingsError
from heedful.scores import Comparison, Estimate, figure_range, find_figure

USUAL = "world.success"


@dataclass(frozen=True, kw_only=True)
class MethodRow:
    """One method on one suite."""

    method: str
    images: int
    failed: int
    value: Estimate
    """The page's score."""
    by_kind: Mapping[str, Estimate]
    """The same for each kind of prompt."""
    others: Mapping[str, Estimate]
    """Every other score."""
    change: Comparison | None
    """From the baseline, on the prompts and seeds that both have; None for the baseline itself."""
    p_corrected: float | None
    """The p-value of `change`, corrected for the number of methods on the page (Holm)."""
    cost: float | None
    """Mean over the images: operations relative to plain sampling."""
    seconds: float | None
    """Mean over the images."""


@dataclass(frozen=True, kw_only=True)
class SuiteFigures:
    """All methods on one suite."""

    suite: str
    score: str
    baseline: str | None
    """None if it is the only method."""
    prompts: int
    images: int
    kinds: tuple[str, ...]
    rows: tuple[MethodRow, ...]
    """Best first."""

    @property
    def best(self) -> MethodRow:
        """The method with the best value of those that are no baseline, or the baseline where it is alone."""
        return next((row for row in self.rows if row.method != self.baseline), self.rows[0])

    @property
    def other_scores(self) -> tuple[str, ...]:
        """The scores other than the page's, each once."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.others))


def suite_figures(
    results: Results, suite: str, *, score: str | None = None, baseline: str | None = None
) -> SuiteFigures:
    """Return the figures of one suite.

    `score` is `world.success` if it is there, else the first; `baseline` is `none`, else the first method. Raises
    `SettingsError` for a score or baseline that the results do not have.
    """
    here = results.of(suite=suite)
    chosen = _chosen("score", score, here.scores, USUAL)
    methods = [method for method in here.methods if here.values(method, chosen)]
    reference = _chosen("baseline", baseline, methods, methods[0])
    kinds = {kind: here.of(kind=kind) for kind in sorted({case.kind for case in here.done})}
    values = {method: here.values(method, chosen) for method in methods}
    within = figure_range(chosen)
    others = [method for method in methods if method != reference]
    changes = {method: compare_scores(values[reference], values[method], within) for method in others}
    tested = [method for method, change in changes.items() if change is not None]
    corrected = dict(zip(tested, holm([change.p_value for change in changes.values() if change]), strict=True))
    rows = [
        MethodRow(
            method=method,
            images=len(values[method]),
            failed=len(here.of(method=method).failed),
            value=summarize_score(values[method], within),
            by_kind={
                kind: summarize_score(found, within)
                for kind, those in kinds.items()
                if (found := those.values(method, chosen))
            },
            others={
                name: summarize_score(found, figure_range(name))
                for name in here.scores
                if name != chosen and (found := here.values(method, name))
            },
            change=changes.get(method),
            p_corrected=corrected.get(method),
            cost=_mean(here, method, "cost"),
            seconds=_mean(here, method, "seconds"),
        )
        for method in methods
    ]
    sign = 1 if is_lower_better(chosen) else -1
    return SuiteFigures(
        suite=suite,
        score=chosen,
        baseline=reference if len(methods) > 1 else None,
        prompts=len({case.prompt for case in here.done}),
        images=sum(row.images for row in rows),
        kinds=tuple(kinds),
        rows=tuple(sorted(rows, key=lambda row: sign * row.value.value)),
    )


def is_lower_better(score: str) -> bool:
    """Return whether less of a score is better, as its figure says; not so for one that is not in the catalogue."""
    found = find_figure(score)
    return found is not None and not found[1].higher_is_better


def _chosen(what: str, asked: str | None, there: Sequence[str], usual: str) -> str:
    if not there:
        raise SettingsError(
            f"Expected a {what}, found none in the records. Score the images first, with `heedful bench add-score`."
        )
    if asked is None:
        return usual if usual in there else there[0]
    if asked not in there:
        raise SettingsError(f"Expected one of the {what}s {', '.join(there)}, got {asked!r}.")
    return asked


def _mean(results: Results, method: str, field: str) -> float | None:
    values = [value for case in results.done if case.method == method and (value := getattr(case, field)) is not None]
    return fmean(values) if values else None
