"""Things cut out of images, laid on other grounds; and grounds from which a thing was taken away."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from heedful.teaching.outlines import Mask, Pixels, bounds, filled, grown

_MARGIN = 2
"""Pixels around a thing that its cut-out has too, so that its edge can be smooth."""
_SMOOTHINGS = 60


@dataclass(frozen=True, eq=False)
class Cutout:
    """A thing, and where in its rectangle it is."""

    image: Image.Image
    """Its colours reach beyond its edge, so that nothing of its old ground comes along."""
    alpha: Image.Image
    """White where the thing is."""


@dataclass(frozen=True, eq=False)
class Ground:
    """An image from which a thing was taken away."""

    pixels: Pixels
    is_filled: Mask
    """Where the thing was: what is there was made of what is around it, and does not count."""


def cut_out(pixels: Pixels, mask: Mask) -> Cutout:
    """Return what is in a mask that is not empty."""
    left, top, right, bottom = bounds(mask)
    window = (left - _MARGIN, top - _MARGIN, right + _MARGIN, bottom + _MARGIN)
    colours = _bled(pixels, mask, 2 * _MARGIN)
    return Cutout(Image.fromarray(colours).crop(window), Image.fromarray(mask.astype(np.uint8) * 255).crop(window))


def take_away(pixels: Pixels, mask: Mask) -> Ground:
    """Return the ground without what is in a mask; the colours around it run into the hole smoothly."""
    hole = grown(filled(mask), _MARGIN)
    values = torch.from_numpy(_bled(pixels, ~hole, max(hole.shape))).permute(2, 0, 1).float()[None]
    inside = torch.from_numpy(hole)
    for _ in range(_SMOOTHINGS):
        values = torch.where(inside, F.avg_pool2d(F.pad(values, (1, 1, 1, 1), mode="replicate"), 3, 1), values)
    return Ground(_bytes(values[0]), hole)


def lay(
    pixels: Pixels, thing: Cutout, middle: tuple[float, float], scale: float, *, mirrored: bool
) -> tuple[Pixels, Mask]:
    """Return pixels with a thing on them, its `middle` (x, y) moved so that it lies inside, and where it is."""
    height, width = pixels.shape[:2]
    size = (max(1, round(thing.image.width * scale)), max(1, round(thing.image.height * scale)))
    image = thing.image.resize(size, Image.Resampling.LANCZOS)
    alpha = thing.alpha.resize(size, Image.Resampling.BILINEAR)
    if mirrored:
        image, alpha = (each.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for each in (image, alpha))
    margin = round(_MARGIN * scale)
    left, top = (
        min(max(round(at - own / 2), -margin), max(side - own + margin, -margin))
        for at, own, side in zip(middle, size, (width, height), strict=True)
    )
    canvas, where = Image.fromarray(pixels), Image.new("L", (width, height))
    canvas.paste(image, (left, top), alpha)
    where.paste(alpha, (left, top))
    return np.asarray(canvas), np.asarray(where) > 127


def _bled(pixels: Pixels, known: Mask, reach: int) -> Pixels:
    """Return pixels whose colours have run `reach` pixels out of where they are known."""
    weight = torch.from_numpy(known.astype(np.float32))[None, None]
    values = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None] * weight
    for _ in range(reach):
        if bool(weight.all()):
            break
        around = F.avg_pool2d(weight, 3, 1, 1)
        spread = F.avg_pool2d(values, 3, 1, 1) / around.clamp_min(1e-6)
        is_new = (weight == 0) & (around > 0)
        values, weight = torch.where(is_new, spread, values), torch.where(is_new, 1.0, weight)
    return _bytes(values[0])


def _bytes(values: Tensor) -> Pixels:
    return values.permute(1, 2, 0).round().clamp(0, 255).byte().numpy()
