"""InitNO (Guo et al., CVPR 2024, arXiv 2404.04650): the cells of two concepts look at different locations.

Here is its self-attention conflict. Its cross-attention response is Attend-and-Excite's loss. The search for an initial
noise at which both are small is `heedful.steering.initial_noise`. Not here are two terms that its code adds while it
samples, at weight 0.1: the maximum outside a flood-filled component of each map, and the L1 distance to a running mean
of past maps, which there is updated at every call of the loss instead of once per step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from heedful.attention import Maps
from heedful.errors import SettingsError
from heedful.guidance.methods.attend_and_excite import WITHOUT_REFINEMENT, AttendAndExciteLoss
from heedful.losses import PUBLISHED_SHARES, Loss, TextShares, missing_pair, overlap
from heedful.prompts import Prompt
from heedful.shapes import CellMaps, PerItem
from heedful.steering import EMBEDDED, InitialNoise, Method


@dataclass(frozen=True, kw_only=True)
class SelfConflict(Loss):
    """L = mean over pairs of concepts m > n of sum min(S_m, S_n) / sum (S_m + S_n).

    S_m is how the cell where concept m peaks looks at all cells: a row of the self-attention. The peak is that of the
    map that Attend-and-Excite would excite, renormalised over the text and smoothed; choosing it passes no gradient, so
    all gradient flows through self-attention. In [0, 0.5]: 0 if the two cells look at disjoint locations, 0.5 if they
    look at the same, as they do if both concepts peak in one cell. A prompt with fewer than two concepts has no pair,
    so it gets 0 and no gradient; `heedful.guide` says so once.

    Needs maps with self-attention, of sites of one size, and raises `SettingsError` for others; `heedful.guide` reads
    it by itself.
    """

    citations = ("guo2024initno",)

    shares: TextShares = field(default_factory=TextShares)
    """The maps whose peaks are sought."""

    @property
    def needs_self_attention(self) -> bool:
        """True: it compares rows of the self-attention."""
        return True

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return the mean over pairs for each item, in [0, 0.5]."""
        if maps.self_attention is None:
            raise SettingsError(
                "Expected maps with self-attention for SelfConflict, got maps of the text alone. "
                "Read them with capture(..., self_attention=True)."
            )
        groups = self.shares(maps.detach(), prompts).group(prompts)
        return conflict(peak_rows(maps.self_attention, groups.maps), groups.is_there)

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return that fewer than two concepts have no pair."""
        return missing_pair("SelfConflict", prompt)


def peak_rows(
    self_attention: CellMaps, maps: Float[Tensor, "batch concept height width"]
) -> Float[Tensor, "batch concept height width"]:
    """Return how the cell in which each of `maps` peaks looks at all cells; the first cell if several are highest."""
    if maps.shape[1] == 0:
        return self_attention[:, :0]
    peaks = maps.flatten(-2).argmax(-1)  # -> (batch, concept)
    items = torch.arange(len(peaks), device=peaks.device)[:, None]
    return self_attention[items, peaks]


def conflict(rows: Float[Tensor, "batch concept height width"], is_there: Bool[Tensor, "batch concept"]) -> PerItem:
    """Return the mean over pairs of concepts that are there of sum min(a, b) / sum (a + b); 0 without a pair."""
    first, second = torch.triu_indices(rows.shape[1], rows.shape[1], offset=1, device=rows.device)
    is_pair = is_there[:, first] & is_there[:, second]
    shared = overlap(rows[:, first], rows[:, second], "paper").masked_fill(~is_pair, 0)  # -> (batch, pair)
    return shared.sum(1) / is_pair.sum(1).clamp(min=1)


_CROSS, _CONFLICT = AttendAndExciteLoss(shares=PUBLISHED_SHARES), SelfConflict(shares=PUBLISHED_SHARES)
_SEARCH = InitialNoise(cross=_CROSS, conflict=_CONFLICT)

INITNO = Method(
    name="initno",
    loss=_CROSS + _CONFLICT,
    settings=replace(WITHOUT_REFINEMENT, initial_noise=_SEARCH),
    embedded=replace(
        EMBEDDED,
        guided=0.0,
        initial_noise=replace(
            _SEARCH, cross_limit=0.5, noises=3, iterations=1, final_iterations=15, learning_rate=0.05, divergence=0.01
        ),
    ),
)
"""The initial noise is chosen and moved until the maps of the first step are good; then Attend-and-Excite's loss and
the self-conflict, 1 : 1, steer the first half of the steps.

- Published, from its code: 5 noises x 10 iterations, then 50; limits 0.2 and 0.3; Adam at 0.01, epsilon 0.001.
- Embedded models: in 100 iterations as published, none of four images came below a cross response of 0.4, and the
  search alone took twice the denoiser rows of a plain image of 25 steps. A look at each of 3 noises, then 15 longer
  steps from the best within a wider divergence, lowered both losses about as far. Guidance after it made it worse.
- Left open or different: see `heedful.guidance.InitialNoise`. The step size is Attend-and-Excite's.
- Not here: the two terms that the code adds while it samples, at weight 0.1 (above), and its
  refinement at two later steps, whose targets are not known for this sum.
"""
