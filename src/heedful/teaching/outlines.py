"""The outline of a thing in an image: a rough mask brought to where the thing ends, told by what the ground looks like.

A model's own maps find a class, and miss what is new about the thing: the hat on the cat. What touches the mask and
looks like no part of the ground belongs to the thing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, UInt8
from scipy import ndimage

Mask = Bool[np.ndarray, "height width"]
Pixels = UInt8[np.ndarray, "height width 3"]

_TOUCHING = np.ones((3, 3), dtype=bool)
"""Pixels touch by corners too."""
_MARGIN = 0.1
"""How far around the masks of large things, as a share of the image's side, nothing is taken for ground."""
_BINS = 16
_RARE = 0.005
"""Colours that are rarer on the ground than this are not the ground's."""
_REACH = 0.5
"""How far a thing may reach beyond its mask, as a share of the mask's height and width; ground is what is farther."""


def fit_masks(pixels: Pixels, masks: Sequence[Mask]) -> list[Mask]:
    """Return masks that end where the things end.

    What looks like the ground and is joined to it is taken away; what looks like no part of it and is joined to a mask
    is added, at most half of the mask's size farther on each side. Of several masks, each pixel goes to the one that
    reaches it first. A mask of which nothing is left stays as it is; so do all where there is no ground.
    """
    anything = np.logical_or.reduce(list(masks))
    ground = ~np.logical_or.reduce([anything, *map(_window, masks)])
    if not ground.any():  # large things: what is a little away from all of them
        ground = ~grown(anything, max(1, round(_MARGIN * max(pixels.shape[:2]))))
    if not ground.any():
        return list(masks)
    is_alike = _alike(pixels, ground)
    outside = joined(ground & is_alike, is_alike)
    kept = [mask & ~outside if (mask & ~outside).any() else mask for mask in masks]
    claims = _spread(kept, ~is_alike)
    return [_without_holes(claim, mask | ~is_alike) for claim, mask in zip(claims, masks, strict=True)]


def grown(mask: Mask, cells: int) -> Mask:
    """Return a mask that reaches `cells` pixels farther in every direction."""
    return ndimage.binary_dilation(mask, _TOUCHING, iterations=cells) if cells else mask


def joined(start: Mask, room: Mask) -> Mask:
    """Return what can be reached from `start` without leaving `room`; pixels touch by corners too."""
    return ndimage.binary_propagation(start & room, _TOUCHING, room)


def filled(mask: Mask) -> Mask:
    """Return a mask with the holes in it."""
    return _without_holes(mask, np.ones_like(mask))


def largest_piece(mask: Mask) -> Mask:
    """Return the largest of the pieces of a mask."""
    if not mask.any():
        return mask
    labelled: Any = ndimage.label(mask, _TOUCHING)
    pieces = labelled[0]
    return pieces == np.bincount(pieces[mask]).argmax()


def bounds(mask: Mask) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a mask that is not empty, right and bottom excluded."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _alike(pixels: Pixels, ground: Mask) -> Mask:
    """Return the pixels of a colour that the ground has, or of one next to it in a table of 16 x 16 x 16 colours."""
    bins = tuple(np.moveaxis(pixels // (256 // _BINS), -1, 0))
    counts = np.zeros((_BINS,) * 3)
    np.add.at(counts, tuple(axis[ground] for axis in bins), 1)
    usual = torch.from_numpy((counts >= max(1, _RARE * ground.sum())).astype(np.float32))[None, None]
    return (F.max_pool3d(usual, 3, 1, 1)[0, 0].numpy() > 0)[bins]


def _spread(masks: Sequence[Mask], room: Mask) -> list[Mask]:
    """Return masks that have spread over `room` pixel by pixel, each in its own window, none over another."""
    windows = [_window(mask) & room for mask in masks]
    claims = list(masks)
    while True:
        before = claims
        for index, window in enumerate(windows):
            taken = np.logical_or.reduce([claim for other, claim in enumerate(claims) if other != index] or [~room])
            wider = claims[index] | (grown(before[index], 1) & window & ~taken)
            claims = [*claims[:index], wider, *claims[index + 1 :]]
        if all(map(np.array_equal, claims, before)):
            return claims


def _window(mask: Mask) -> Mask:
    window = np.zeros_like(mask)
    if mask.any():
        left, top, right, bottom = bounds(mask)
        wide, high = round(_REACH * (right - left)), round(_REACH * (bottom - top))
        window[max(0, top - high) : bottom + high, max(0, left - wide) : right + wide] = True
    return window


def _without_holes(mask: Mask, may_fill: Mask) -> Mask:
    """Return a mask with those pixels of its holes that may be filled."""
    border = np.zeros_like(mask)
    border[[0, -1]] = border[:, [0, -1]] = True
    around = joined(border & ~mask, ~mask)
    return mask | (~around & may_fill)
