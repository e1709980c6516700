"""Where a concept is, found from the maps alone: no mask, no box, no label.

Knows the rules of the contest. Knows no loss. No gradient passes through an area.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool
from torch import Tensor

from heedful.attention import Groups, smooth
from heedful.losses.masks import Threshold, high_cells
from heedful.losses.normalise import at_least_tiny

Contest = Literal["relative", "absolute", "none"]
"""Concepts compete by their maps divided by each one's maximum; by their maps as they are; not at all."""

AreaThreshold = Threshold | Literal["peak"]
"""Those of masks, or a share of the map's maximum."""


@dataclass(frozen=True, kw_only=True)
class OwnArea:
    """The cells of a concept m: where its map is high, and where it loses to no other concept n.

    x is in a_m if   A_m(x) / s_m >= A_n(x) / s_n for all n   and   A_m(x) > t_m,   with the scale s_m the maximum of
    A_m in the relative contest. So however weakly a concept is heeded, it keeps the cell of its peak: an absolute
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
        """Return which cells each concept owns; none in empty places and of maps that are zero."""
        maps = groups.maps.detach()
        if maps.shape[1] == 0:
            return torch.zeros_like(maps, dtype=torch.bool)
        if self.sigma is not None:
            maps = smooth(maps, self.sigma, convention="true")
        highest = maps.amax((-2, -1), keepdim=True)
        if self.threshold == "peak":
            own = maps > self.peak * highest
        else:
            own = high_cells(maps, self.threshold, self.quantile)
        if self.contest != "none":
            rivals = maps / at_least_tiny(highest) if self.contest == "relative" else maps
            own &= rivals >= rivals.amax(1, keepdim=True)
        return own & groups.is_there[:, :, None, None]
