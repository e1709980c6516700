"""Resizing, smoothing and splitting of maps: plain functions of tensors."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Maps4 = Float[Tensor, "batch token height width"]
Convention = Literal["reference", "true"]
"""How a Gaussian's sigma is meant: see `gaussian_kernel`."""


def gaussian_kernel(sigma: float, size: int = 3, convention: Convention = "reference") -> Float[Tensor, "size size"]:
    """Return a Gaussian kernel of odd side `size` cells that sums to 1, in float64.

    "true" is exp(-x^2 / (2 sigma^2)). "reference" is exp(-(x / (2 sigma))^2), which Attend-and-Excite's code and its
    descendants use: their effective sigma is sigma * sqrt(2), 0.707 for the 0.5 that they state.
    """
    offsets = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    spread = 2 * sigma if convention == "reference" else 2**0.5 * sigma
    line = torch.exp(-((offsets / spread) ** 2))
    kernel = torch.outer(line, line)
    return kernel / kernel.sum()


def smooth(maps: Maps4, sigma: float, size: int = 3, convention: Convention = "reference") -> Maps4:
    """Return `maps` smoothed by a Gaussian of `sigma` cells and odd side `size` cells, reflected at the borders.

    A side of the map that is too short to reflect is continued by its border cells instead.
    """
    margin = size // 2
    kernel = gaussian_kernel(sigma, size, convention).to(maps)
    padding = "reflect" if min(maps.shape[-2:]) > margin else "replicate"
    padded = F.pad(maps, (margin,) * 4, mode=padding)
    # -> (batch * token, 1, height, width) -> (batch, token, height, width)
    return F.conv2d(padded.flatten(0, 1).unsqueeze(1), kernel[None, None]).squeeze(1).unflatten(0, maps.shape[:2])


def resize(maps: Maps4, height: int, width: int) -> Float[Tensor, "batch token new_height new_width"]:
    """Return `maps` on a grid of `height` x `width` cells, bilinearly, so that sums over the tokens are kept."""
    if maps.shape[-2:] == (height, width):
        return maps
    return F.interpolate(maps, (height, width), mode="bilinear", antialias=height * width < maps[0, 0].numel())


def resize_both(
    maps: Float[Tensor, "batch cell old_height old_width"], height: int, width: int
) -> Float[Tensor, "batch new_cell height width"]:
    """Return self-attention on another grid, bilinearly: cells that are seen, cells that look; maps sum to 1 again."""
    old = maps.shape[-2:]
    if old == (height, width):
        return maps
    seen = resize(maps, height, width)
    # -> (batch, cell seen, old_height, old_width) -> (batch, cell seen, height, width) -> the cells that look first
    looking = resize(seen.flatten(-2).mT.unflatten(-1, old), height, width).flatten(-2).mT
    return (looking / looking.sum(-1, keepdim=True)).unflatten(-1, (height, width))


def otsu_threshold(cells: Float[Tensor, "batch concept cell"]) -> Float[Tensor, "batch concept"]:
    """Return, for each map, the value that splits its cells with the largest variance between the two classes.

    Exact, over every split of the sorted cells, where the usual code looks at 256 bins (Otsu 1979, equation 18).
    """
    ordered = cells.sort(dim=-1).values
    count = ordered.shape[-1]
    if count == 1:
        return ordered[..., 0]
    low = torch.arange(1, count, device=cells.device, dtype=cells.dtype)  # cells in the lower class, for each split
    sums = ordered.cumsum(-1)
    low_mean = sums[..., :-1] / low
    high_mean = (sums[..., -1:] - sums[..., :-1]) / (count - low)
    between = low * (count - low) * (high_mean - low_mean) ** 2
    split = between.argmax(-1, keepdim=True)
    return ((ordered.gather(-1, split) + ordered.gather(-1, split + 1)) / 2).squeeze(-1)
