"""Where the cells of a map are, which of them are high, and which belong to a concept: found from the maps alone.

No gradient passes through a mask or an area.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from heedful.attention import Groups, otsu_threshold, smooth
from heedful.losses.normalise import at_least_tiny

Threshold = Literal["mean", "otsu", "quantile"]
"""The map's mean; the split that separates two classes best (Otsu 1979); a quantile of its cells."""

Contest = Literal["relative", "absolute", "none"]
"""Concepts compete by their maps divided by each one's maximum; by their maps as they are; not at all."""

AreaThreshold = Threshold | Literal["peak"]
"""One of `Threshold`, or a share of the map's maximum."""


def cell_positions(like: Tensor, height: int, width: int) -> Float[Tensor, "cell 2"]:
    """Return row and column of each cell, in cells, with dtype and device of `like`."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows, columns], -1).reshape(-1, 2).to(like)


def high_cells(
    maps: Float[Tensor, "batch concept height width"], threshold: Threshold = "mean", quantile: float = 0.75
) -> Bool[Tensor, "batch concept height width"]:
    """Return the cells of each map that lie above its threshold; none of a constant map."""
    cells = maps.detach().flatten(-2)  # -> (batch, concept, cell)
    if threshold == "otsu":
        border = otsu_threshold(cells)
    elif threshold == "quantile":
        border = cells.quantile(quantile, dim=-1)
    else:
        border = cells.mean(-1)
    return maps.detach() > border[..., None, None]


@dataclass(frozen=True, kw_only=True)
class OwnArea:
    """The cells of a concept m: where its map is high, and where it loses to no other concept n.

    x is in a_m if   A_m(x) / s_m >= A_n(x) / s_n for all n   and   A_m(x) > t_m,   with the scale s_m the maximum of
    A_m in the relative contest. So however weakly a concept is attended to, it keeps the cell of its peak: an absolute
    contest leaves it without an area where another concept dominates, and then nothing can be said of its outside.
    Cells in which concepts tie belong to all of them.
    """

    contest: Contest = "relative"
    threshold: AreaThreshold = "peak"
    """Above which a cell of the map counts as high."""
    peak: float = 0.4
    """For `threshold="peak"`: share of the map's maximum."""
    quantile: float = 0.75
    """For `threshold="quantile"`."""
    sigma: float | None = None
    """Smoothing, before all else, by a Gaussian of this true sigma in cells: speckled maps have speckled areas."""

    def __call__(self, groups: Groups) -> Bool[Tensor, "batch concept height width"]:
        """Return which cells each concept owns; none where no concept is and of maps that are zero."""
        maps = groups.maps.detach()
        if maps.shape[1] == 0:
            return torch.zeros_like(maps, dtype=torch.bool)
        if self.sigma is not None:
            maps = smooth(maps, self.sigma, convention="true")
        highest = maps.amax((-2, -1), keepdim=True)  # -> (batch, concept, 1, 1)
        if self.threshold == "peak":
            own = maps > self.peak * highest
        else:
            own = high_cells(maps, self.threshold, self.quantile)
        if self.contest != "none":
            rivals = maps / at_least_tiny(highest) if self.contest == "relative" else maps
            own &= rivals >= rivals.amax(1, keepdim=True)
        return own & groups.is_there[:, :, None, None]
