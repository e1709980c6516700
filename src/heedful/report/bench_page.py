"""The page of a benchmark as Markdown with its plots and images, written from records alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from heedful.bench import Results
from heedful.files import write_atomic
from heedful.report.bench_figures import SuiteFigures, is_lower_better, suite_figures
from heedful.report.bench_images import Ranked, map_grid, prompt_grid, rank_prompts
from heedful.report.bench_plots import change_plot, cost_plot, kind_plot, value_plot
from heedful.report.bench_settings import failures, references, settings, settings_differ
from heedful.report.html import to_html
from heedful.report.markdown import code, escape, table
from heedful.report.published import Published, published_section
from heedful.scores import Estimate

SHOWN_PROMPTS = 5
_NOTHING = "–"


@dataclass(frozen=True)
class Page:
    """Markdown, and the plots and images that it names, by relative path."""

    title: str
    markdown: str
    images: Mapping[str, bytes]


def write_page(page: Page, folder: Path) -> tuple[Path, Path]:
    """Write `index.html`, and `report.md` with its plots and images, into `folder`; return the paths of both."""
    for name, data in page.images.items():
        write_atomic(folder / name, data)
    markdown = write_atomic(folder / "report.md", page.markdown)
    return write_atomic(folder / "index.html", to_html(page.markdown, page.images, page.title)), markdown


def bench_page(
    results: Results,
    *,
    score: str | None = None,
    baseline: str | None = None,
    title: str = "",
    against: Published | None = None,
) -> Page:
    """Return the page of all suites; raises `SettingsError` for a score or baseline that is not there.

    `against` is a paper's table, to which what was measured is compared.
    """
    images: dict[str, bytes] = {}
    found = [suite_figures(results, suite, score=score, baseline=baseline) for suite in results.suites]
    title = title or _title(found)
    lines = [f"# {escape(title)}", "", *_preamble(results)]
    for number, figures in enumerate(found):
        lines += _suite(results, figures, f"figures/{number}-", images, is_only=len(found) == 1)
    if against is not None:
        lines += published_section(results, against)
    lines += failures(results) + settings(results) + _how_to_read(found) + references(results)
    return Page(title, "\n".join(lines).rstrip() + "\n", images)


def _title(found: Sequence[SuiteFigures]) -> str:
    return f"Benchmark: {', '.join(figures.suite for figures in found)}"


def _preamble(results: Results) -> list[str]:
    models = dict.fromkeys(str(run.get("model", "?")) for run in results.runs)
    parts = [
        f"{len(results.done)} images",
        f"{len(results.methods)} method{'s' * (len(results.methods) != 1)}",
        *([f"model: {', '.join(map(escape, models))}"] if models else []),
        *([f"{len(results.failed)} failed"] if results.failed else []),
    ]
    lines = [" · ".join(parts), ""]
    if settings_differ(results):
        lines += ["**The runs have different settings, so their methods may not be comparable: see Settings.**", ""]
    return lines


def _suite(
    results: Results, figures: SuiteFigures, prefix: str, images: dict[str, bytes], *, is_only: bool
) -> list[str]:
    """Return the section of one suite, and add its plots and images to `images`."""
    level = "##" if is_only else "###"
    lines = [] if is_only else [f"## Suite {escape(figures.suite)}", ""]
    lines += [_summary(figures), ""]
    parts = [
        ("By method", "values", value_plot, _values(figures)),
        (f"Differences from {escape(figures.baseline or '')}", "changes", change_plot, _changes(figures)),
        ("By kind of prompt", "kinds", kind_plot, _kinds(figures)),
        ("Cost", "cost", cost_plot, [""] if any(row.cost is not None for row in figures.rows) else []),
    ]
    for heading, name, plot, said in parts:
        if said:
            images[f"{prefix}{name}.svg"] = plot(figures)
            alt = f"{heading}: a plot of {escape(figures.score)}"
            lines += [f"{level} {heading}", "", f"![{alt}]({prefix}{name}.svg)", *said]
    if figures.other_scores:
        lines += [f"{level} Other scores", "", "Means over the prompts; ↓ marks those where less is better."]
        lines += _others(figures)
    ranked = rank_prompts(results, figures)
    if len(ranked) > 1 and any(results.path(case) for case in results.done):
        lines += [f"{level} Worst and best prompts", "", _sorted_by(figures)]
        lines += _prompts(results, figures, ranked, prefix, images)
    return lines


def _values(figures: SuiteFigures) -> list[str]:
    rows = [
        [
            escape(row.method),
            _estimate(row.value),
            str(row.images),
            str(row.failed),
            _number(row.cost),
            _number(row.seconds),
        ]
        for row in figures.rows
    ]
    return table(["method", f"{code(figures.score)} [95 %]", "images", "failed", "cost", "s/image"], rows)


def _changes(figures: SuiteFigures) -> list[str]:
    rows = [
        [
            escape(row.method),
            _signed(row.change.difference),
            _p_value(row.change.p_value),
            _p_value(row.p_corrected),
            str(row.change.gained),
            str(row.change.lost),
            str(row.change.difference.count),
        ]
        for row in figures.rows
        if row.change is not None
    ]
    return table(["method", "difference [95 %]", "p", "p (Holm)", "higher", "lower", "cases"], rows)


def _kinds(figures: SuiteFigures) -> list[str]:
    if len(figures.kinds) < 2:
        return []
    rows = [[escape(row.method), *(_estimate(row.by_kind.get(kind)) for kind in figures.kinds)] for row in figures.rows]
    return table(["method", *map(escape, figures.kinds)], rows)


def _others(figures: SuiteFigures) -> list[str]:
    """Return the table of further scores, the longer side downwards, so that it fits a page."""
    heads = [f"{code(name)}{' ↓' * is_lower_better(name)}" for name in figures.other_scores]
    methods = [escape(row.method) for row in figures.rows]
    cells = [[_mean(row.others.get(name)) for name in figures.other_scores] for row in figures.rows]
    if len(heads) > len(methods):
        return table(["score", *methods], [[head, *column] for head, *column in zip(heads, *cells, strict=True)])
    return table(["method", *heads], [[method, *row] for method, row in zip(methods, cells, strict=True)])


def _prompts(
    results: Results, figures: SuiteFigures, ranked: Sequence[Ranked], prefix: str, images: dict[str, bytes]
) -> list[str]:
    count = min(SHOWN_PROMPTS, len(ranked) // 2)
    worst, best = ranked[:count], ranked[-count:][::-1]
    lines: list[str] = []
    for name, prompts in (("worst", worst), ("best", best)):
        grid, drawn = prompt_grid(results, figures, prompts, f"{prefix}{name}")
        images.update(drawn)
        lines += ["", f"**The {count} {name}**", *grid]
    maps, drawn = map_grid(results, figures, [*worst, *best], f"{prefix}maps")
    images.update(drawn)
    return lines + (["", "**What the denoiser attended to**", *maps] if maps else [])


def _sorted_by(figures: SuiteFigures) -> str:
    compared = "" if figures.baseline is None else f"{escape(figures.baseline)} → "
    return (
        f"Sorted by {escape(figures.best.method)}. Numbers are means of {code(figures.score)} over all seeds of a "
        f"prompt, {compared}{escape(figures.best.method)}; below an image is its own."
    )


def _summary(figures: SuiteFigures) -> str:
    """Return the finding in a sentence."""
    best, score = figures.best, code(figures.score)
    if figures.baseline is None or best.change is None or best.p_corrected is None:
        return f"**{escape(best.method)}: {score} {_estimate(best.value)}** on {figures.prompts} prompts."
    base = next(row for row in figures.rows if row.method == figures.baseline)
    sure = "" if best.p_corrected < 0.05 else " This difference may be chance."
    cost = "" if best.cost is None else f", at {best.cost:.2f} times the cost of plain sampling"
    others = len(figures.rows) - 1
    corrected = f", {_p_value(best.p_corrected)} corrected for {others} methods" if others > 1 else ""
    return (
        f"**{escape(best.method)}: {score} {_estimate(best.value)}, {escape(base.method)}: {_estimate(base.value)}** "
        f"on {figures.prompts} prompts. Paired difference {_signed(best.change.difference)}, "
        f"p {_p_sign(best.change.p_value)}{corrected}{cost}.{sure}"
    )


def _how_to_read(found: Sequence[SuiteFigures]) -> list[str]:
    binary = any(figures.score.endswith("success") for figures in found)
    lines = [
        "## How to read this",
        "",
        "- Images of one prompt resemble each other, so prompts, not images, count as independent. Intervals are "
        "Wilson's, with the variance that the prompts show and Student's t; p-values are of the same test, so p is "
        "below 0.05 exactly where the interval of a difference excludes 0. Holm's correction is for the number of "
        "methods that are compared with the baseline.",
        "- A value is the mean over prompts of each prompt's mean over its seeds. A difference is paired: the same "
        "prompts and seeds, which begin with the same noise. Higher and lower count its images; a filled dot has a "
        "corrected p-value below 0.05.",
        "- Cost counts operations of the denoiser, forward and backward, relative to plain sampling; seconds depend on "
        "the machine.",
    ]
    if binary:
        lines.append(
            "- Success: the judge finds every concept exactly once, in its colour, and nothing else. The faults next "
            "to it are shares of images, and one image may have several."
        )
    return [*lines, ""]


def _estimate(found: Estimate | None) -> str:
    return _NOTHING if found is None else str(found)


def _signed(found: Estimate) -> str:
    return found.format("+.3f").replace("-", "−")


def _mean(found: Estimate | None) -> str:
    return _NOTHING if found is None else f"{found.value:.3f}"


def _number(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2f}"


def _p_sign(value: float) -> str:
    text = _p_value(value)
    return text if text.startswith("<") else f"= {text}"


def _p_value(value: float | None) -> str:
    if value is None:
        return _NOTHING
    return f"{value:.4f}" if value >= 0.0002 else "< 0.0002"
