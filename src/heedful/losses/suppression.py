"""Suppression: where a concept is not, its attention should be zero.

Most losses of this field raise attention where a concept is; this one attenuates it everywhere else, and where that is,
the maps say themselves (`OwnArea`), so the model decides on location and size.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from heedful.attention import Maps
from heedful.losses.areas import OwnArea
from heedful.losses.loss import Loss
from heedful.losses.normalise import at_least_tiny
from heedful.prompts import Prompt
from heedful.shapes import PerItem


@dataclass(frozen=True, kw_only=True)
class Suppression(Loss):
    """L = mean over concepts m of sum over x outside a_m of A_m(x) / sum over all x of A_m(x), with a_m the own area.

    In [0, 1], and 0 if each concept attends to nothing outside its own area. No gradient flows through the area. It
    says how far a concept spreads beyond its area, not how the area is filled: one cell alone satisfies it, which is
    what `Evenness` is for.
    """

    area: OwnArea = field(default_factory=OwnArea)
    relative: bool = True
    """To the concept's own mass, so that a weak concept counts as much as a strong one, and cannot lower the loss by
    vanishing. False is attenuation alone: the mass outside over the number of cells, with no gradient inside."""

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return the mean over the concepts of each item, in [0, 1]."""
        groups = maps.group(prompts)
        cells = groups.maps.flatten(-2)  # -> (batch, concept, cell)
        outside = cells.masked_fill(self.area(groups).flatten(-2), 0).sum(-1)
        shares = outside / (at_least_tiny(cells.sum(-1)) if self.relative else cells.shape[-1])
        return shares.masked_fill(~groups.is_there, 0).sum(1) / groups.is_there.sum(1).clamp(min=1)
