"""Figures of taught images, over training images: what the tables of teaching say, with their intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from heedful.prompts import Prompt
from heedful.report.markdown import table
from heedful.scores.clip import ClipText
from heedful.scores.instance import InstanceScore
from heedful.scores.statistics import SHARE, Range, compare, estimate

Records = Sequence[Sequence[dict[str, Any]]]
"""(training image, image) -> what was seen of an image."""

FIGURES = {
    "carried": "carries its look",
    "first": "the first word's look",
    "second": "the second word's look",
    "leaked": "leaks",
    "once": "once",
    "companions": "companions",
    "unasked": "other taught thing unasked",
    "background": "background",
    "success": "obeys",
    "image": "image alignment",
    "text": "text alignment",
}


def seen_in(images: Sequence[Image.Image], prompts: Sequence[Prompt]) -> list[dict[str, Any]]:
    """Return what is seen of each image alone, without what its training image would be needed for."""
    values = InstanceScore()(images, prompts) | ClipText()(images, prompts)
    return [{name: own[index] for name, own in values.items()} for index in range(len(prompts))]


def _range(figure: str) -> Range:
    return (-1.0, 1.0) if figure in ("image", "text") else SHARE


def values_of(records: Records, figure: str, asked: int | None = None) -> np.ndarray:
    """Return a figure as a table (training image, image) without those that are not asked for it; `asked` keeps prompts
    for so many concepts.
    """
    kept = [
        [r[figure] for r in own if (asked is None or len(r["nouns"]) == asked) and r.get(figure) is not None]
        for own in records
    ]
    return np.array([[np.mean(own)] for own in kept if own] if len({*map(len, kept)}) > 1 else kept, dtype=float)


def estimates(records: Records, asked: int | None = None) -> dict[str, Any]:
    """Return the estimate of each figure that some record has."""
    found = {figure: values_of(records, figure, asked) for figure in FIGURES}
    return {figure: vars(estimate(own, _range(figure))) for figure, own in found.items() if own.size}


def differences(records: Records, other: Records) -> dict[str, Any]:
    """Return the estimate of each figure's difference to what another method made of the same images."""
    pairs = {figure: (values_of(other, figure), values_of(records, figure)) for figure in FIGURES}
    return {
        figure: vars(compare(before, after, _range(figure)).difference)
        for figure, (before, after) in pairs.items()
        if before.size and before.shape == after.shape
    }


def rows_of(results: dict[str, dict[str, Any]], sign: str = "") -> list[str]:
    """Return the lines of a Markdown table: a row for each name, a column for each figure."""
    rows = [
        [name, *(_interval(row[figure], sign) if figure in row else "-" for figure in FIGURES)]
        for name, row in results.items()
    ]
    return table(["method", *FIGURES.values()], rows)


def _interval(found: dict[str, Any], sign: str) -> str:
    return f"{found['value']:{sign}.3f} [{found['low']:{sign}.3f}, {found['high']:{sign}.3f}]"
