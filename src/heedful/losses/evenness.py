"""Evenness: over the area of a concept, attention should be the same everywhere.

The hypothesis behind it, that even attention means a better image, is what `heedful study evenness` tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from heedful.attention import Maps
from heedful.losses.areas import OwnArea
from heedful.losses.loss import Loss
from heedful.losses.normalise import at_least_tiny
from heedful.prompts import Prompt
from heedful.shapes import PerItem

Unevenness = Literal["entropy", "cv", "gini"]
"""1 less the entropy over its maximum; the coefficient of variation; the Gini coefficient."""

Cells = Float[Tensor, "batch concept cell"]
IsInside = Bool[Tensor, "batch concept cell"]
PerConcept = Float[Tensor, "batch concept"]


@dataclass(frozen=True, kw_only=True)
class Evenness(Loss):
    """L = mean over concepts m of the unevenness of A_m over the n cells of its own area a_m.

    | measure | with p = A / sum of A, mu and sd over the cells of a_m | range |
    |---|---|---|
    | entropy | 1 + sum of p ln p / ln n | [0, 1] |
    | cv | sd / mu | [0, sqrt(n - 1)] |
    | gini | sum over cells i, j of abs(A_i - A_j) / (2 n^2 mu) | [0, 1 - 1/n] |

    0 if the area is perfectly even, or has one cell or none. The scale of a map does not matter. No gradient flows
    through the area or to cells outside it, so what a concept does elsewhere is left to `Suppression`.
    """

    area: OwnArea = field(default_factory=OwnArea)
    measure: Unevenness = "entropy"

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return the mean over the concepts of each item."""
        groups = maps.group(prompts)
        values = unevenness(groups.maps.flatten(-2), self.area(groups).flatten(-2), self.measure)
        return values.masked_fill(~groups.is_there, 0).sum(1) / groups.is_there.sum(1).clamp(min=1)


def unevenness(cells: Cells, is_inside: IsInside, measure: Unevenness = "entropy") -> PerConcept:
    """Return how uneven non-negative values are over the cells inside: 0 if they are equal, or fewer than two.

    The formulas are those of `Evenness`.
    """
    inside = cells.masked_fill(~is_inside, 0)
    count = is_inside.sum(-1)
    if measure == "cv":
        values = _variation(inside, is_inside, count)
    elif measure == "gini":
        values = _gini(inside, count)
    else:
        values = _lost_entropy(inside, count)
    return values.masked_fill(count < 2, 0)


def _lost_entropy(inside: Cells, count: Tensor) -> PerConcept:
    shares = inside / at_least_tiny(inside.sum(-1, keepdim=True))
    entropy = -(shares * at_least_tiny(shares).log()).sum(-1)
    return (1 - entropy / count.clamp(min=2).to(entropy.dtype).log()).clamp(min=0)


def _variation(inside: Cells, is_inside: IsInside, count: Tensor) -> PerConcept:
    mean = inside.sum(-1) / count.clamp(min=1)
    relative = inside / at_least_tiny(mean)[..., None] - 1
    variance = relative.square().masked_fill(~is_inside, 0).sum(-1) / count.clamp(min=1)
    # A root has no gradient at zero: where the cells are equal up to rounding, it is zero by decree.
    is_even = variance < torch.finfo(variance.dtype).eps
    return variance.masked_fill(is_even, 1).sqrt().masked_fill(is_even, 0)


def _gini(inside: Cells, count: Tensor) -> PerConcept:
    """By ranks rather than by pairs of cells; cells outside are zeros, which come first and count for nothing."""
    ordered = inside.sort(-1).values
    position = torch.arange(1, inside.shape[-1] + 1, device=inside.device)
    rank = position - (inside.shape[-1] - count[..., None])  # 1 .. n inside, below that outside
    weights = (2 * rank - count[..., None] - 1).to(inside.dtype)
    return (weights * ordered).sum(-1) / at_least_tiny(count * inside.sum(-1))
