"""Maps as images: over an image, or many of them on a sheet. For the eye, not for measuring."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from heedful.attention.colours import colourise
from heedful.shapes import Map

_BACKGROUND = (255, 255, 255)
_INK = (32, 32, 32)


def heat_map(values: Map, size: tuple[int, int], *, top: float | None = None) -> Image.Image:
    """Return a map as an image of `size` (width, height) pixels, smoothly enlarged.

    Colours run from 0 to `top`, the map's maximum unless given.
    """
    return Image.fromarray(colourise(_enlarged(values, size, top)))


def overlay(
    image: Image.Image,
    values: Map,
    *,
    opacity: float = 0.6,
    top: float | None = None,
    contour: float | None = None,
) -> Image.Image:
    """Return `image` with a map laid over it, smoothly enlarged to the image's size.

    `opacity` is in [0, 1]. Colours run from 0 to `top`, the map's maximum unless given. With `contour`, a white line
    is drawn where the map passes this fraction of `top`.
    """
    base = image.convert("RGB")
    heat = _enlarged(values, base.size, top)
    blended = Image.blend(base, Image.fromarray(colourise(heat)), opacity)
    if contour is None:
        return blended
    line = Image.fromarray((_border(heat >= contour) * 255).astype(np.uint8))
    blended.paste((255, 255, 255), mask=line)
    return blended


def contact_sheet(
    maps: Mapping[str, Float[Tensor, "step height width"]],
    *,
    steps: Sequence[int] | None = None,
    image: Image.Image | None = None,
    cell: int = 96,
) -> Image.Image:
    """Return a sheet of maps, one row for each name and one column for each step, `cell` pixels high.

    `steps` chooses columns; all unless given. The colours of a row share one scale, so that what fades is seen to
    fade. With `image`, the maps lie over it.
    """
    count = max(len(row) for row in maps.values())
    columns = list(range(count)) if steps is None else list(steps)
    height, width = next(iter(maps.values())).shape[-2:]
    size = (max(1, round(cell * width / height)), cell)
    font: Any = ImageFont.load_default(size=max(10, cell // 8))
    left = max(int(font.getlength(name)) for name in maps) + 16
    head = cell // 8 + 16
    gap = 4
    sheet = Image.new("RGB", (left + len(columns) * (size[0] + gap), head + len(maps) * (cell + gap)), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for column, step in enumerate(columns):
        draw.text((left + column * (size[0] + gap) + size[0] / 2, head / 2), str(step), _INK, font, anchor="mm")
    for row, (name, values) in enumerate(maps.items()):
        y = head + row * (cell + gap)
        draw.text((left - 8, y + cell / 2), name, _INK, font, anchor="rm")
        top = _top(values)
        for column, step in enumerate(columns):
            tile = (
                heat_map(values[step], size, top=top)
                if image is None
                else overlay(image.resize(size), values[step], top=top)
            )
            sheet.paste(tile, (left + column * (size[0] + gap), y))
    return sheet


def _top(values: Tensor) -> float:
    """Return the largest value of a map, never 0."""
    return float(values.nan_to_num(nan=0.0).max()) or 1.0


def _enlarged(values: Map, size: tuple[int, int], top: float | None) -> NDArray[np.float64]:
    """Return the map in [0, 1] as an array of `size` (width, height)."""
    relative = values.detach().nan_to_num(nan=0.0).double().cpu() / (_top(values) if top is None else top)
    enlarged = Image.fromarray(relative.float().numpy()).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(enlarged, dtype=np.float64).clip(0, 1)


def _border(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the cells of `inside` that touch the outside; the edge of the image is no outside."""
    framed = np.pad(inside, 1, mode="edge")
    surrounded = framed[:-2, 1:-1] & framed[2:, 1:-1] & framed[1:-1, :-2] & framed[1:-1, 2:]
    return inside & ~surrounded
