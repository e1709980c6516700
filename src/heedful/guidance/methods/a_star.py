"""A-STAR (Agarwal et al., ICCV 2023, arXiv 2306.14544): concepts keep apart (segregation) and are kept (retention).

The paper calls its ratio an intersection over union, but divides by the SUM of both maps, so a pair lies in [0, 0.5];
`ratio="true"` divides by the union instead. It states neither how maps are normalised nor the threshold of the masks;
both are fields here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from heedful.attention import Maps
from heedful.guidance.methods.attend_and_excite import WITHOUT_REFINEMENT, AttendAndExciteLoss
from heedful.losses import (
    PUBLISHED_SHARES,
    Loss,
    Preparation,
    Ratio,
    Threshold,
    high_cells,
    missing_pair,
    overlap,
)
from heedful.prompts import Prompt
from heedful.shapes import PerItem
from heedful.steering import EMBEDDED, Method, Settings


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


_LOSS = Segregation() + Retention(threshold="quantile", quantile=0.9)

A_STAR = Method(
    name="a-star",
    loss=_LOSS,
    settings=Settings(step_size=20.0, decay=(1.0, 0.5), guided=1.0),
    embedded=replace(EMBEDDED, step_size=12.0, guided=0.3),
)
"""Concepts keep apart and are kept, 1 : 1.

- Published: guided at every step. No step size is stated, so it is Attend-and-Excite's; no refinement.
- Embedded models: larger steps and longer guidance made more duplicates.
- Left open, and no code was published. Chosen here:
  - maps: mean over heads and all 16x16 cross-attention sites, as in Attend-and-Excite, not smoothed;
  - normalisation: none for segregation, whose ratio is a ratio of sums; by the maximum for retention, because raw
    attention (about 1/77) against a mask of ones is 0.98 whatever the map;
  - mask of the step before: the highest tenth of the map's cells, from the maps of the pass that predicted that step's
    noise, so after that step's update; a constant, without gradient; none at the first step. Above the mean is the
    plainer reading, but asks each concept to fill some 40 % of the image: on the embedded model that doubles objects;
  - ratio: the paper's, sum of minima over sum of both, although it calls that an intersection over union;
  - step size: Attend-and-Excite's 20 sqrt(linspace(1, 0.5, steps)); one update per step.

Each is a field of `Segregation`, `Retention` or `Settings`.
"""

ATTEND_AND_EXCITE_A_STAR = Method(
    name="attend-and-excite+a-star",
    loss=AttendAndExciteLoss(shares=PUBLISHED_SHARES) + _LOSS,
    settings=WITHOUT_REFINEMENT,
    embedded=replace(EMBEDDED, step_size=40.0, guided=0.3),
)
"""The sum of both: concepts are present, apart and kept. Nobody's published settings: Attend-and-Excite's without
refinement, whose targets are not meant for a sum."""
