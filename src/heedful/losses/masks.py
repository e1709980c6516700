"""Where a map is high: binary masks by a threshold. No gradient passes through a mask."""

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor

from heedful.attention import otsu_threshold

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
