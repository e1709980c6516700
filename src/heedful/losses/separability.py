"""Separability: each concept in one location, and no two in the same (Fisher's criterion on where attention lies).

An overlap sees only cells that two concepts share, a peak only one cell; neither sees a concept that is in two
locations at once, which comes out as two objects. The spread of a map sees it, and the distance between the maps'
centres sees the overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from heedful.attention import Maps
from heedful.losses.areas import cell_positions
from heedful.losses.loss import Loss
from heedful.losses.normalise import Preparation, at_least_tiny
from heedful.losses.words import missing_pair
from heedful.prompts import Prompt
from heedful.shapes import PerItem


@dataclass(frozen=True, kw_only=True)
class Separability(Loss):
    """L = W / (W + B): the share of the variance of location that does not tell the concepts apart.

    Each concept's map, raised to `sharpness` and divided by its sum, is a distribution over the cells. W is the mean
    over concepts of its variance (squared distance from its own centre), B the variance of the centres. In [0, 1]:
    0 if each concept looks at one point and the points differ, 1 if all centres fall together; 1 - L is the correlation
    ratio, and B / W Fisher's criterion (Fisher 1936, The use of multiple measurements in taxonomic problems). How
    strongly a concept is attended does not count, nor the size of the grid.

    A prompt with fewer than two concepts has nothing to tell apart, so it gets 0 and no gradient.
    """

    citations = ("fisher1936",)

    sharpness: float = 2.0
    """Power of the maps: 1 as they are; above, the faint attention far from an object counts less."""

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return the unexplained share of the variance of each item, in [0, 1]."""
        groups = Preparation(normalisation="max")(maps, prompts)
        powers = groups.maps.pow(self.sharpness).flatten(2)
        shares = powers / at_least_tiny(powers.sum(-1, keepdim=True))  # -> (batch, concept, cell)
        cells = cell_positions(shares, *maps.size)
        centres = shares @ cells  # -> (batch, concept, 2)
        distances = (cells - centres[:, :, None]).square().sum(-1)  # -> (batch, concept, cell)
        there = groups.is_there.to(shares.dtype)
        count = there.sum(1).clamp(min=1)
        within = ((shares * distances).sum(-1) * there).sum(1) / count
        middle = (centres * there[..., None]).sum(1) / count[:, None]  # -> (batch, 2)
        between = ((centres - middle[:, None]).square().sum(-1) * there).sum(1) / count
        return (within / at_least_tiny(within + between)).masked_fill(groups.is_there.sum(1) < 2, 0)

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return that fewer than two concepts have nothing to tell apart."""
        return missing_pair("Separability", prompt)
