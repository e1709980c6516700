"""Draws what a study found: courses over the steps, forecasts with intervals, correlations, effects.

They need matplotlib (extra `report`).
"""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from heedful.errors import require
from heedful.files import write_atomic

_INKS = ("#1850be", "#c8461e", "#1e8c50", "#8c46b4", "#a08c1e")
_GROUP_INKS = {"success": "#1e8c50", "neglect": "#c8461e", "duplicate": "#1850be"}
_SHORT = {"attend-and-excite": "A&E"}
_DPI = 90


def plot(found: Mapping[str, Any], path: Path) -> Path:
    """Draw the figures of any study to a PNG, and return its path. Raises `MissingExtra` without matplotlib."""
    figure = require("matplotlib.figure", "report").Figure
    draw = _draw_evenness if found["study"] == "evenness" else _draw_steps
    canvas = draw(figure, found)
    drawn, packed = BytesIO(), BytesIO()
    canvas.savefig(drawn, format="png", dpi=_DPI)
    # a palette takes a third of the bytes, and pages of documentation carry these plots
    Image.open(drawn).convert("RGB").quantize(128).save(packed, "PNG", optimize=True)
    return write_atomic(path, packed.getvalue())


def _draw_steps(figure: Any, found: Mapping[str, Any]) -> Any:
    """Above, each measure by step for each group of images; below, how well it predicts what is wrong."""
    measures = found["measures"]
    columns = max(4, len(measures))
    canvas = figure(figsize=(3.5 * columns, 6.6), layout="constrained")
    above, below = canvas.subplots(2, columns)
    for axes in below[4:]:
        axes.set_visible(False)
    for axes, (name, measure) in zip(above, measures.items(), strict=False):
        for group, course in measure["courses"].items():
            _band(axes, course, _GROUP_INKS[group], group)
        axes.set_title(name)
    _legend(above[0])
    for axes, outcome in zip(below, ("failure", "neglect", "duplicate"), strict=False):
        for ink, (name, measure) in zip(_INKS, measures.items(), strict=False):
            _band(axes, measure["within"][outcome]["by_step"], ink, name)
        axes.set_title(f"AUC within prompts: {outcome}")
    missing = found["missing"]["measures"] if "missing" in found else None
    if missing:
        for ink, (name, measure) in zip(_INKS, missing.items(), strict=False):
            _band(below[3], measure["share"], ink, name)
        below[3].set_title("larger for the missing concept")
    else:
        for ink, (name, measure) in zip(_INKS, measures.items(), strict=False):
            _band(below[3], measure["all"]["failure"]["by_step"], ink, name)
        below[3].set_title("AUC over all images: failure")
    for axes in below:
        axes.axhline(0.5, color="gray", linewidth=0.8)
        axes.set_ylim(0.25, 1)
        axes.set_xlabel("step")
    _legend(below[0])
    return canvas


def _draw_evenness(figure: Any, found: Mapping[str, Any]) -> Any:
    """Quality by fifths of evenness; correlations; what guiding towards and away from evenness does."""
    canvas = figure(figsize=(14, 5.4), layout="constrained")
    fifths, correlations, effects = canvas.subplots(1, 3)
    inks = iter(_INKS)
    for method, observed in found["observed"].items():
        for area, rows in observed["fifths"].items():
            if rows:
                _band(fifths, rows["confidence"], next(inks), f"{method}, {area}", first=1)
    fifths.set_title("confidence by fifths of evenness")
    fifths.set_xlabel("from the least even to the most even")
    fifths.set_xticks(range(1, 6))
    _legend(fifths)
    names: list[str] = []
    for method, observed in found["observed"].items():
        for row in observed["correlations"]:
            chosen = row["control"] == found["primary"]["control"] and row["third"] == found["primary"]["third"]
            if chosen and row["value"] is not None:
                ink = _INKS[0] if row["quality"] == "confidence" else _INKS[1]
                _bar(correlations, len(names), row, ink)
                names.append(f"{_SHORT.get(method, method)}: {row['measure']}, {row['area']}, {row['quality']}")
    _label(correlations, names, "rank correlation, by size and within concepts")
    names = []
    for number, (method, effect) in enumerate(found["causal"].items()):
        for what in ("success", "neglect", "duplicate", "hybrid", "confidence"):
            _bar(effects, len(names), effect[what]["difference"], _INKS[number])
            names.append(f"{method}: {what}")
    _label(effects, names, "difference from plain sampling")
    return canvas


def _band(axes: Any, course: Sequence[Mapping[str, Any] | None], ink: str, label: str, first: int = 0) -> None:
    """Draw a line with its interval; steps without a value are skipped."""
    there = [(number + first, each) for number, each in enumerate(course) if each is not None]
    if not there:
        return
    at = [number for number, _ in there]
    low, value, high = ([each[which] for _, each in there] for which in ("low", "value", "high"))
    axes.plot(at, value, color=ink, label=label, linewidth=1.6)
    axes.fill_between(at, low, high, color=ink, alpha=0.13, linewidth=0)


def _bar(axes: Any, row: int, estimate: Mapping[str, Any] | None, ink: str) -> None:
    if estimate is not None:
        axes.plot([estimate["low"], estimate["high"]], [row, row], color=ink, linewidth=2)
        axes.plot([estimate["value"]], [row], "o", color=ink, markersize=4)


def _label(axes: Any, names: Sequence[str], title: str) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.invert_yaxis()
    axes.axvline(0, color="gray", linewidth=0.8)
    axes.set_title(title)


def _legend(axes: Any) -> None:
    if axes.get_legend_handles_labels()[0]:  # with few images, there may be nothing to tell apart
        axes.legend(fontsize=8)
