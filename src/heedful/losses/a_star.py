"""A-STAR (Agarwal et al., ICCV 2023, arXiv 2306.14544): concepts keep apart (segregation) and are kept (retention).

The paper calls its ratio an intersection over union, but divides by the SUM of both maps, so a pair lies in [0, 0.5];
`ratio="true"` divides by the union instead. It states neither how maps are normalised nor the threshold of the masks;
both are fields here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.attention import Maps
from heedful.losses.areas import Threshold, high_cells
from heedful.losses.loss import Loss
from heedful.losses.normalise import Preparation, at_least_tiny
from heedful.losses.words import missing_pair
from heedful.prompts import Prompt
from heedful.shapes import PerItem

Ratio = Literal["paper", "true"]
"""sum min(a, b) / sum (a + b), in [0, 0.5]; or sum min(a, b) / sum max(a, b), in [0, 1]."""


def overlap(
    first: Float[Tensor, "batch pair height width"], second: Float[Tensor, "batch pair height width"], ratio: Ratio
) -> Float[Tensor, "batch pair"]:
    """Return how much two non-negative maps share, by the chosen ratio; 0 for disjoint maps."""
    whole = torch.maximum(first, second) if ratio == "true" else first + second
    return torch.minimum(first, second).sum((-2, -1)) / at_least_tiny(whole.sum((-2, -1)))


@dataclass(frozen=True, kw_only=True)
class Segregation(Loss):
    """L = sum over pairs of concepts m > n of sum min(A_m, A_n) / sum (A_m + A_n)   (A-STAR, L_seg).

    Each pair lies in [0, 0.5] ([0, 1] with the true ratio); 0 for disjoint maps. A prompt with fewer than two concepts
    has no pair, so it gets 0 and no gradient; `heedful.guide` says so once, and guides the others of its batch.
    """

    citations = ("agarwal2023astar",)

    ratio: Ratio = "paper"
    prepare: Preparation = field(default_factory=Preparation)
    """How each map is smoothed and normalised: not at all, since the paper states nothing."""

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return the sum over pairs for each item."""
        groups = self.prepare(maps, prompts)
        count = groups.maps.shape[1]
        first, second = torch.triu_indices(count, count, offset=1, device=groups.maps.device)
        is_pair = groups.is_there[:, first] & groups.is_there[:, second]
        shared = overlap(groups.maps[:, first], groups.maps[:, second], self.ratio)  # -> (batch, pair)
        return shared.masked_fill(~is_pair, 0).sum(dim=1)

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return that fewer than two concepts have no pair."""
        return missing_pair("Segregation", prompt)


@dataclass(frozen=True, kw_only=True)
class Retention(Loss):
    """L = sum over concepts m of 1 - sum min(A_m, B_m) / sum (A_m + B_m)   (A-STAR, L_ret).

    B_m is 1 where the concept's map of the step before was high, else 0: a constant target, without gradient. Each
    concept lies in [0.5, 1] ([0, 1] with the true ratio). At the first step, which has no step before, it is 0.

    The maps are divided by their maximum by default: raw attention is about 1 / tokens, and against a mask of ones that
    is 0.98 whatever the map.
    """

    citations = ("agarwal2023astar",)

    ratio: Ratio = "paper"
    prepare: Preparation = field(default_factory=lambda: Preparation(normalisation="max"))
    """How each map is smoothed and normalised, now and before; not stated in the paper."""
    threshold: Threshold = "mean"
    """Above which a cell of the map before counts as high; not stated in the paper."""
    quantile: float = 0.75
    """For `threshold="quantile"`."""

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return the sum over concepts for each item."""
        if previous is None:
            return maps.tokens.new_zeros(len(maps))
        now = self.prepare(maps, prompts)
        before = self.prepare(previous.detach(), prompts)
        target = high_cells(before.maps, self.threshold, self.quantile).to(now.maps.dtype)
        lost = 1 - overlap(now.maps, target, self.ratio)  # -> (batch, concept)
        return lost.masked_fill(~now.is_there, 0).sum(dim=1)
