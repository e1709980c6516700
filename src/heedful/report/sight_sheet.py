"""Images under the maps of their concepts: one of them step by step, or many side by side.

Overlays come from `heedful.attention`, grids from `grid`.
"""

from collections.abc import Sequence
from itertools import groupby

from PIL import Image

from heedful.attention import overlay
from heedful.images import Sight
from heedful.report.grid import Cell, Grid, compose

SHOWN = 8
"""Steps on a sheet of one image, evenly spread."""


def concept_overlay(sight: Sight, concept: int) -> Image.Image:
    """Return the image under the map of its concept with this number, mean over all steps."""
    return overlay(sight.image, sight.maps[concept].mean(0))


def step_sheet(sight: Sight) -> Image.Image:
    """Return the sheet of one image: a row per concept; columns for the image, some steps, and the mean over all.

    The colours of a row share one scale, so that what fades is seen to fade.
    """
    count = sight.maps.shape[1]
    steps = sorted({round(index * (count - 1) / max(1, SHOWN - 1)) for index in range(SHOWN)})
    cells = [
        [sight.image, *(overlay(sight.image, one, top=float(maps.max())) for one in (*maps[steps], maps.mean(0)))]
        for maps in sight.maps
    ]
    grid = Grid(
        title=sight.prompt.text,
        columns=["image", *(f"step {step + 1}" for step in steps), "mean"],
        rows=sight.names,
        cells=cells,
        note=f"{sight.method} · seed {sight.seed} · {sight.model}",
    )
    return compose(grid)


def seed_sheet(sights: Sequence[Sight], *, title: str, note: str = "") -> Image.Image:
    """Return the sheet of many images: for each prompt a row of its images, and a row of overlays for each concept.

    Columns are seeds; images of one prompt stand next to each other in `sights`.
    """
    seeds = list(dict.fromkeys(sight.seed for sight in sights))
    rows: list[str] = []
    cells: list[list[Cell]] = []
    for text, found in groupby(sights, lambda sight: sight.prompt.text):
        by_seed = {sight.seed: sight for sight in found}
        there = [by_seed.get(seed) for seed in seeds]
        rows.append(text)
        cells.append([None if sight is None else sight.image for sight in there])
        for concept, name in enumerate(next(iter(by_seed.values())).names):
            rows.append(name)
            cells.append([None if sight is None else concept_overlay(sight, concept) for sight in there])
    return compose(Grid(title=title, columns=[f"seed {seed}" for seed in seeds], rows=rows, cells=cells, note=note))
