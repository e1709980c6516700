"""Draws what a benchmark found: values with intervals, differences, kinds of prompts, cost.

They need matplotlib (extra `report`). Every plot is an SVG that says the same in grey: methods have their name next to
their mark, and colours, which colour-blind readers tell apart too (Okabe and Ito 2008), never stand alone.
"""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

from heedful.errors import require
from heedful.report.bench_figures import MethodRow, SuiteFigures, is_lower_better

_INK, _FAINT, _BLUE, _ORANGE = "#1a1a1f", "#8a8a92", "#0072b2", "#d55e00"
_WIDTH = 5.2  # inches: narrow, so that letters can still be read on a telephone
_PANELS = 3  # in a row
_ROW = 0.30
_SETTINGS = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _FAINT,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "svg.hashsalt": "heedful",  # the same figures give the same bytes
}


def check_plots() -> None:
    """Raise `MissingExtra`, which names the extra `report`, if nothing can be drawn here."""
    require("matplotlib.figure", "report")


def value_plot(figures: SuiteFigures) -> bytes:
    """Draw each method's value with its interval; the baseline's is a line across all."""

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        _rows(axes, figures, lambda row: row.value)
        base = _baseline(figures)
        if base is not None:
            axes.axvline(base.value.value, color=_FAINT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        axes.set_xlabel(f"{figures.score}, mean over prompts with 95 % interval")

    return _drawn(draw, len(figures.rows))


def change_plot(figures: SuiteFigures) -> bytes:
    """Draw each method's paired difference from the baseline; filled where the corrected p-value is below 0.05."""
    rows = [row for row in figures.rows if row.change is not None]

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for index, row in enumerate(rows):
            change, p_value = row.change, row.p_corrected
            if change is None or p_value is None:
                continue
            better = (change.difference.value > 0) != is_lower_better(figures.score)
            _whisker(axes, index, change.difference, _BLUE if better else _ORANGE, is_filled=p_value < 0.05)
        axes.axvline(0, color=_INK, linewidth=0.8)
        _names(axes, [row.method for row in rows])
        axes.set_xlabel(f"difference from {figures.baseline} in {figures.score}, with 95 % interval")

    return _drawn(draw, len(rows))


def kind_plot(figures: SuiteFigures) -> bytes:
    """Draw each method's value by kind of prompt: one panel per kind, methods in the same order in all."""
    count = -(-len(figures.kinds) // _PANELS)

    def draw(canvas: Any) -> None:
        panels = canvas.subplots(count, min(_PANELS, len(figures.kinds)), sharey=True, sharex=True, squeeze=False)
        for axes in panels.flat[len(figures.kinds) :]:
            axes.set_visible(False)
        for axes, kind in zip(panels.flat, figures.kinds, strict=False):
            _rows(axes, figures, lambda row, kind=kind: row.by_kind.get(kind))
            base = _baseline(figures)
            if base is not None and kind in base.by_kind:
                axes.axvline(base.by_kind[kind].value, color=_FAINT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
            axes.set_title(kind)
            axes.locator_params(axis="x", nbins=3)
            axes.margins(x=0.08)
        canvas.supxlabel(f"{figures.score}, with 95 % interval", fontsize=9)

    return _drawn(draw, count * len(figures.rows), extra=0.35 * count)


def cost_plot(figures: SuiteFigures) -> bytes:
    """Draw value against cost: up and to the left is better."""
    rows = [row for row in figures.rows if row.cost is not None]

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for row in rows:
            ink = _INK if row.method == figures.baseline else _BLUE
            axes.plot([row.cost] * 2, [row.value.low, row.value.high], color=ink, linewidth=1.4, alpha=0.55)
            axes.plot([row.cost], [row.value.value], "o", color=ink, markersize=5)
        costs = [row.cost for row in rows if row.cost is not None]
        spread = max(costs) - min(costs) or 1.0
        axes.set_xlim(min(costs) - 0.06 * spread, max(costs) + 0.08 * spread)
        _label_marks(axes, rows)
        axes.set_xlabel("operations of the denoiser, relative to plain sampling")
        axes.set_ylabel(figures.score)

    return _drawn(draw, max(9, len(rows)))


def _drawn(draw: Callable[[Any], None], rows: int, extra: float = 0.0) -> bytes:
    """Return the SVG of what `draw` draws on a canvas that has room for `rows` rows."""
    figure = require("matplotlib.figure", "report").Figure
    matplotlib = require("matplotlib", "report")
    stream = BytesIO()
    with matplotlib.rc_context(_SETTINGS):
        canvas = figure(figsize=(_WIDTH, 0.75 + extra + _ROW * max(2, rows)), layout="constrained")
        draw(canvas)
        canvas.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def _rows(axes: Any, figures: SuiteFigures, value: Callable[[MethodRow], Any]) -> None:
    for index, row in enumerate(figures.rows):
        found = value(row)
        if found is not None:
            _whisker(axes, index, found, _INK if row.method == figures.baseline else _BLUE)
    _names(axes, [row.method for row in figures.rows])


def _whisker(axes: Any, index: int, found: Any, ink: str, *, is_filled: bool = True) -> None:
    axes.plot([found.low, found.high], [index, index], color=ink, linewidth=1.6, solid_capstyle="butt", zorder=2)
    axes.plot(
        [found.value], [index], "o", color=ink, markersize=6, markerfacecolor=ink if is_filled else "white", zorder=3
    )


def _names(axes: Any, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e6e6ea", linewidth=0.7)
    axes.set_axisbelow(True)


def _label_marks(axes: Any, rows: Sequence[MethodRow]) -> None:
    """Write each method's name in a column at the right, a thin line leading to its mark, so that no two overlap."""
    low, high = axes.get_ylim()
    gap = (high - low) / max(13, len(rows))
    heights: list[float] = []
    ordered = sorted(rows, key=lambda row: row.value.value)
    for row in ordered:
        heights.append(max(row.value.value, heights[-1] + gap) if heights else row.value.value)
    shift = max(0.0, heights[-1] - high)
    axes.set_ylim(low, high)
    for row, height in zip(ordered, heights, strict=True):
        axes.annotate(
            row.method,
            (row.cost, row.value.value),
            xytext=(1.02, (height - shift - low) / (high - low)),
            textcoords="axes fraction",
            va="center",
            fontsize=8.5,
            arrowprops={"arrowstyle": "-", "color": _FAINT, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 3},
        )


def _baseline(figures: SuiteFigures) -> MethodRow | None:
    return next((row for row in figures.rows if row.method == figures.baseline), None)
