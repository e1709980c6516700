"""Images under the maps of their concepts: one of them step by step, or many side by side.

Overlays come from `heedful.attention`, grids from `grid`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from heedful.attention import overlay
from heedful.images import Sight
from heedful.report.grid import Cell, Grid, compose
from heedful.report.scale import enlarged, scale_tile, with_scale

SHOWN = 8
"""Steps on a sheet of one image, evenly spread."""
_SCALE = 160  # pixels of the longer side of a scale on a sheet, at least: its numbers are to be read


def concept_overlay(sight: Sight, concept: int) -> Image.Image:
    """Return the image under the map of its concept with this number, mean over all steps."""
    return overlay(sight.image, sight.maps[concept].mean(0))


def large_overlay(sight: Sight, concept: int) -> Image.Image:
    """Return what `concept_overlay` does, enlarged and with the scale of its colours."""
    values = sight.maps[concept].mean(0)
    return with_scale(overlay(enlarged(sight.image), values), float(values.max()))


def step_sheet(sight: Sight, words: Sight | None = None) -> Image.Image:
    """Return the sheet of one image: a row per concept; columns for the image, some steps, the mean, and the scale.

    The colours of a row share one scale, so that what fades is seen to fade. `words` are the same image, read again for
    words that its prompt lacks: a row for each of them.
    """
    count = sight.maps.shape[1]
    steps = sorted({round(index * (count - 1) / max(1, SHOWN - 1)) for index in range(SHOWN)})
    rows = [*sight.names, *(f"{name} (not in the prompt)" for name in (words.names if words is not None else ()))]
    cells: list[list[Cell]] = []
    for maps in [*sight.maps, *(words.maps if words is not None else ())]:
        top = float(maps.max())
        shown = [overlay(sight.image, one, top=top) for one in (*maps[steps], maps.mean(0))]
        cells.append([sight.image, *shown, scale_tile(top, enlarged(sight.image, _SCALE).size)])
    grid = Grid(
        title=sight.prompt.text,
        columns=["image", *(f"step {step + 1}" for step in steps), "mean", "attention"],
        rows=rows,
        cells=cells,
        note=f"{sight.method} · seed {sight.seed} · {sight.model}",
    )
    return compose(grid)


@dataclass(frozen=True, eq=False)
class Shown:
    """A training image, and where a model looks in it for each concept of its caption."""

    image: Image.Image
    caption: str
    maps: Mapping[str, Float[Tensor, "height width"]]
    """By the name of the concept."""


def lesson_sheet(shown: Sequence[Shown], sights: Sequence[Sight], *, title: str, note: str = "") -> Image.Image:
    """Return the sheet of a lesson: its training images with the maps of their concepts, then what the model makes."""
    below = seed_sheet(sights, title=title, note=note)
    if not shown:
        return below
    most = max(len(each.maps) for each in shown)
    rows: list[str] = []
    cells: list[list[Cell]] = []
    for each in shown:
        overlays = [overlay(each.image, one) for one in each.maps.values()]
        rows += [each.caption]
        cells += [[each.image, *overlays, *[None] * (most - len(overlays))]]
    names = list(shown[0].maps) if all(list(each.maps) == list(shown[0].maps) for each in shown) else [""] * most
    above = compose(Grid(title="what is learnt", columns=["image", *names], rows=rows, cells=cells))
    sheet = Image.new("RGB", (max(above.width, below.width), above.height + below.height), "white")
    sheet.paste(above, (0, 0))
    sheet.paste(below, (0, above.height))
    return sheet


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
