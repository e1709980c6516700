"""The page of a benchmark as Markdown with its pictures, written from records alone.

Knows what is said and in which order. Computes no figure and draws nothing itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heedful.evaluation.results import Results
from heedful.evaluation.statistics import Comparison, Estimate
from heedful.files import write_atomic
from heedful.guidance.methods import METHODS
from heedful.references import cite
from heedful.report.bench_figures import MethodRow, SuiteFigures, is_lower_better, suite_figures
from heedful.report.bench_images import map_grid, prompt_grid, rank_prompts
from heedful.report.bench_plots import change_plot, cost_plot, kind_plot, value_plot
from heedful.report.html import to_html
from heedful.report.markdown import code_block, escape, table

SHOWN_PROMPTS = 5
_NOTHING = "–"


@dataclass(frozen=True)
class Page:
    """Markdown, and the pictures that it names by relative path."""

    title: str
    markdown: str
    pictures: Mapping[str, bytes]


def write_page(page: Page, folder: Path) -> tuple[Path, Path]:
    """Write `index.html`, and `report.md` with its pictures beside it, into `folder`; return the paths of both."""
    for name, data in page.pictures.items():
        write_atomic(folder / name, data)
    markdown = write_atomic(folder / "report.md", page.markdown)
    return write_atomic(folder / "index.html", to_html(page.markdown, page.pictures, page.title)), markdown


def bench_page(results: Results, *, score: str | None = None, baseline: str | None = None, title: str = "") -> Page:
    """Return the page of all suites; raises `SettingsError` for a score or baseline that is not there."""
    pictures: dict[str, bytes] = {}
    found = [suite_figures(results, suite, score=score, baseline=baseline) for suite in results.suites]
    title = title or _title(found)
    lines = [f"# {escape(title)}", "", *_preamble(results)]
    for number, figures in enumerate(found):
        lines += _suite(results, figures, f"figures/{number}-", pictures, is_only=len(found) == 1)
    lines += _failures(results) + _settings(results) + _how_to_read(found) + _references(results)
    return Page(title, "\n".join(lines).rstrip() + "\n", pictures)


def _title(found: Sequence[SuiteFigures]) -> str:
    return f"Benchmark: {', '.join(figures.suite for figures in found)}"


def _preamble(results: Results) -> list[str]:
    models = dict.fromkeys(str(run.get("model", "?")) for run in results.runs)
    parts = [
        f"{len(results.done)} images",
        f"{len(results.methods)} method{'s' * (len(results.methods) != 1)}",
        *([f"model: {', '.join(map(escape, models))}"] if models else []),
        *([f"{len(results.failed)} failed cases"] if results.failed else []),
    ]
    lines = [" · ".join(parts), ""]
    settings = {repr(sorted(_settings_of(run).items())) for run in results.runs}
    if len(settings) > 1:
        lines += ["**The runs have different settings, so their methods may not be comparable: see Settings.**", ""]
    return lines


def _suite(
    results: Results, figures: SuiteFigures, prefix: str, pictures: dict[str, bytes], *, is_only: bool
) -> list[str]:
    level = "##" if is_only else "###"

    def plot(name: str, text: str, data: bytes) -> list[str]:
        pictures[f"{prefix}{name}.svg"] = data
        return [f"![{escape(text)}]({prefix}{name}.svg)", ""]

    score = f"`{figures.score}`"
    lines = [] if is_only else [f"## Suite {escape(figures.suite)}", ""]
    lines += [_summary(figures), "", f"{level} By method", ""]
    lines += plot("values", f"{figures.score} by method, with intervals", value_plot(figures))
    lines += table(
        ["method", f"{score} [95 %]", "images", "failed", "cost", "s/image"],
        [
            [
                escape(row.method),
                _estimate(row.value),
                str(row.images),
                str(row.failed),
                _number(row.cost),
                _number(row.seconds),
            ]
            for row in figures.rows
        ],
    )
    if figures.baseline is not None:
        lines += [f"{level} Differences from {escape(figures.baseline)}", ""]
        lines += plot("changes", f"paired differences from {figures.baseline}", change_plot(figures))
        changed = [(row, row.change) for row in figures.rows if row.change is not None]
        lines += table(
            ["method", "difference [95 %]", "p", "p (Holm)", "higher", "lower", "cases"],
            [_change(row, change) for row, change in changed],
        )
    if len(figures.kinds) > 1:
        lines += [f"{level} By kind of prompt", ""]
        lines += plot("kinds", f"{figures.score} by kind of prompt", kind_plot(figures))
        lines += table(
            ["method", *map(escape, figures.kinds)],
            [
                [escape(row.method), *(_estimate(row.by_kind.get(kind)) for kind in figures.kinds)]
                for row in figures.rows
            ],
        )
    if any(row.cost is not None for row in figures.rows):
        lines += [f"{level} Cost", ""]
        lines += plot("cost", f"{figures.score} against cost", cost_plot(figures))
    if figures.other_scores:
        lines += [f"{level} Other scores", "", "Means over the prompts; ↓ marks those where less is better.", ""]
        names = figures.other_scores
        lines += table(
            ["method", *(f"`{name}`{' ↓' * is_lower_better(name)}" for name in names)],
            [[escape(row.method), *(_mean(row.others.get(name)) for name in names)] for row in figures.rows],
        )
    ranked = rank_prompts(results, figures)
    if len(ranked) > 1 and any(results.path(case) for case in results.done):
        count = min(SHOWN_PROMPTS, len(ranked) // 2)
        worst, best = ranked[:count], ranked[-count:][::-1]
        lines += [f"{level} Worst and best prompts", "", _sorted_by(figures)]
        for name, prompts in (("worst", worst), ("best", best)):
            grid, images = prompt_grid(results, figures, prompts, f"{prefix}{name}")
            pictures |= images
            lines += ["", f"**The {count} {name}**", *grid]
        maps, images = map_grid(results, figures, worst + best, f"{prefix}maps")
        pictures |= images
        lines += ["", "**What was looked at**", *maps] if maps else []
    return lines


def _sorted_by(figures: SuiteFigures) -> str:
    compared = "" if figures.baseline is None else f"{escape(figures.baseline)} → "
    return (
        f"Sorted by {escape(figures.best.method)}. Numbers are means of `{figures.score}` over all seeds of a prompt, "
        f"{compared}{escape(figures.best.method)}; below an image is its own."
    )


def _summary(figures: SuiteFigures) -> str:
    """The finding in a sentence."""
    best, score = figures.best, f"`{figures.score}`"
    if figures.baseline is None or best.change is None or best.p_corrected is None:
        return f"**{escape(best.method)}: {score} {_estimate(best.value)}** on {figures.prompts} prompts."
    base = next(row for row in figures.rows if row.method == figures.baseline)
    sure = "" if best.p_corrected < 0.05 else " This difference may be chance."
    cost = "" if best.cost is None else f", at {best.cost:.2f} times the cost of plain sampling"
    return (
        f"**{escape(best.method)}: {score} {_estimate(best.value)}, {escape(base.method)}: {_estimate(base.value)}** "
        f"on {figures.prompts} prompts. Paired difference {_signed(best.change.difference)}, "
        f"p {_p_sign(best.p_corrected)} (corrected for {len(figures.rows) - 1} methods){cost}.{sure}"
    )


def _failures(results: Results) -> list[str]:
    if not results.failed:
        return []
    reasons: dict[tuple[str, str], int] = {}
    for case in results.failed:
        reason = (case.method, str(case.error))
        reasons[reason] = reasons.get(reason, 0) + 1
    rows = [[escape(method), escape(error), str(count)] for (method, error), count in reasons.items()]
    return ["## Failed cases", "", *table(["method", "error", "cases"], rows, "left")]


def _settings(results: Results) -> list[str]:
    if not results.runs:
        return []
    runs = [_flat(run) for run in results.runs]
    names = dict.fromkeys(name for run in runs for name in run)
    # what all runs share is said once
    is_shared = {name: len({run.get(name) for run in runs}) == 1 for name in names}
    heads = ["setting", "all runs"] if len(runs) > 1 else ["setting", "value"]
    lines = ["## Settings", "", *table(heads, [[name, runs[0][name]] for name in names if is_shared[name]], "left")]
    if not all(is_shared.values()):
        lines += table(
            ["run", *(name for name in names if not is_shared[name])],
            [
                [str(number), *(run.get(name, _NOTHING) for name in names if not is_shared[name])]
                for number, run in enumerate(runs, start=1)
            ],
            "left",
        )
    methods = {name: str(text) for run in results.runs for name, text in run.get("methods", {}).items()}
    lines += ["### Methods", ""]
    for name, text in methods.items():
        lines += [f"`{escape(name)}`", "", *code_block(text)]
    return lines


def _how_to_read(found: Sequence[SuiteFigures]) -> list[str]:
    binary = any(figures.score.endswith("success") for figures in found)
    lines = [
        "## How to read this",
        "",
        "- Images of one prompt resemble each other, so intervals and tests resample prompts, not images: percentile "
        "bootstrap with 10 000 resamples for intervals, the sign-flip test for p-values. Holm's correction is for the "
        "number of methods that are compared with the baseline.",
        "- A value is the mean over prompts of each prompt's mean over its seeds. A difference is paired: the same "
        "prompts and seeds, which begin with the same noise. Higher and lower count its images; a filled dot has a "
        "corrected p-value below .05.",
        "- Cost counts operations of the denoiser, forward and backward, relative to plain sampling; seconds depend on "
        "the machine.",
    ]
    if binary:
        lines.append(
            "- Success: the judge finds every concept exactly once, in its colour, and nothing else. The faults beside "
            "it are shares of images, and one image may have several."
        )
    return [*lines, ""]


def _references(results: Results) -> list[str]:
    known = [METHODS[name] for name in results.methods if name in METHODS]
    return ["## References", "", "BibTeX of the methods on this page:", "", *code_block(cite(*known), "bibtex")]


def _change(row: MethodRow, change: Comparison) -> list[str]:
    return [
        escape(row.method),
        _signed(change.difference),
        _p_value(change.p_value),
        _p_value(row.p_corrected),
        str(change.gained),
        str(change.lost),
        str(change.difference.count),
    ]


def _settings_of(run: Mapping[str, Any]) -> dict[str, str]:
    """What has to be the same for methods to be comparable."""
    settings: Mapping[str, Any] = run.get("settings", {})
    kept = {name: str(value) for name, value in settings.items() if name != "batch_size"}
    return kept | {"weights": str(run.get("weights", _NOTHING))}


def _flat(run: Mapping[str, Any]) -> dict[str, str]:
    """A run as names and values that fit into a table."""
    groups: Iterable[tuple[str, Mapping[str, Any]]] = (
        ("", {name: run[name] for name in ("suite", "model", "weights", "started") if name in run}),
        ("", run.get("settings", {})),
        ("", run.get("versions", {})),
        ("git ", run.get("git") or {}),
        ("", run.get("hardware", {})),
    )
    return {
        escape(f"{prefix}{name}".replace("_", " ")): escape(str(value))
        for prefix, group in groups
        for name, value in group.items()
    }


def _estimate(found: Estimate | None) -> str:
    return _NOTHING if found is None else f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _signed(found: Estimate) -> str:
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]".replace("-", "−")


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
