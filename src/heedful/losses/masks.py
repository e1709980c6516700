"""Where a map is high: binary masks by a threshold. No gradient passes through a mask."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Threshold = Literal["mean", "otsu", "quantile"]
"""The map's mean; the split that separates two classes best (Otsu 1979); a quantile of its cells."""


def high_cells(
    maps: Float[Tensor, "batch concept height width"], threshold: Threshold = "mean", quantile: float = 0.75
) -> Bool[Tensor, "batch concept height width"]:
    """Return the cells of each map that lie above its threshold; none of a constant map."""
    cells = maps.detach().flatten(-2)
    if threshold == "otsu":
        border = otsu_threshold(cells)
    elif threshold == "quantile":
        border = cells.quantile(quantile, dim=-1)
    else:
        border = cells.mean(-1)
    return maps.detach() > border[..., None, None]


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
