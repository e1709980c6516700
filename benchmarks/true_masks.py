"""What masks from attention are measured against: the truth, cut out of a plain background, and the plain way."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from heedful.guidance import MapHistory
from heedful.world.tones import Box

_GROUND = 16.0
"""What differs by less, in RGB values, is background: decoded images are a little uneven there."""
_EDGE = 0.5
"""A pixel at an outline belongs to the object that it shows at least half of."""


def object_masks(
    image: UInt8[np.ndarray, "height width 3"], boxes: Sequence[Box]
) -> Bool[np.ndarray, "box height width"]:
    """Return the pixels of the object in each of `boxes` (left, top, right, bottom), which must be all objects' boxes.

    An object is what differs from the median of the image's border, its holes included. Where boxes overlap, a pixel
    goes to the box whose middle is nearer, in sides of the box. On renders, whose masks are known, this gives them with
    a mean intersection over union of 0.95.
    """
    height, width = image.shape[:2]
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    distance = np.abs(image - np.median(border, axis=0)).max(axis=-1)
    objects = _filled((distance > _GROUND) & (distance >= _EDGE * _highest_around(distance)))
    rows, columns = np.mgrid[:height, :width] + 0.5
    from_middle = np.full((len(boxes), height, width), np.inf)
    for index, (left, top, right, bottom) in enumerate(boxes):
        across = np.abs(columns - (left + right) / 2) / max(right - left, 1e-9)
        down = np.abs(rows - (top + bottom) / 2) / max(bottom - top, 1e-9)
        reach = np.maximum(across, down)
        from_middle[index] = np.where(reach <= 0.5, reach, np.inf)
    if not boxes:
        return np.zeros((0, height, width), dtype=bool)
    is_nearest = from_middle.argmin(axis=0) == np.arange(len(boxes))[:, None, None]
    return is_nearest & np.isfinite(from_middle) & objects


def half_peak_masks(maps: MapHistory, item: int, size: tuple[int, int]) -> Bool[Tensor, "concept height width"]:
    """Return where each concept's map, averaged over the steps, is above half of its maximum: the plain way.

    `size` is height and width in pixels, to which maps are enlarged bilinearly.
    """
    steps = torch.stack([maps.concepts(step)[item].float().cpu() for step in range(len(maps))])
    # (step, concept, height, width) -> (concept, height, width), in pixels
    enlarged = F.interpolate(steps.mean(0)[None], size, mode="bilinear", align_corners=False)[0]
    return enlarged > enlarged.amax((-2, -1), keepdim=True) / 2


def _highest_around(values: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """The highest value among each pixel and its eight neighbours."""
    height, width = values.shape
    framed = np.pad(values, 1, mode="edge")
    windows = [framed[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.max(windows, axis=0)


def _filled(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """The mask with what cannot be reached from the image's border through pixels outside the mask."""
    free = ~np.pad(mask, 1)
    reached = np.zeros_like(free)
    reached[0] = reached[-1] = reached[:, 0] = reached[:, -1] = True
    while True:
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown &= free
        if (grown == reached).all():
            return ~reached[1:-1, 1:-1]
        reached = grown
