"""EBAMA (Zhang et al., ECCV 2024, arXiv 2404.07389): SynGen read as an energy of each object, which keeps it strong.

It differs from SynGen in three things: the noun alone is pushed from the other words, maps are compared by their
cosine, and a second term keeps the nouns' own attention from moving to their modifiers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from heedful.attention import Maps
from heedful.losses import (
    PUBLISHED_SHARES,
    Loss,
    Pair,
    TextShares,
    distributions,
    outside,
    sum_over_pairs,
    symmetric_kl,
)
from heedful.prompts import Prompt
from heedful.shapes import PerItem
from heedful.steering import EMBEDDED, Method, Settings

Distance = Literal["cosine", "kl"]
"""1 less the cosine of two maps, in [0, 1]; SynGen's symmetric Kullback-Leibler divergence of their distributions."""


@dataclass(frozen=True, kw_only=True)
class EbamaLoss(Loss):
    """L = sum over concepts s of [sum over its modifiers a of D(s, a) - mean over u of D(s, u)] - lambda sum of m_s.

    u are the words outside the concept's phrase (`heedful.losses.outside`); m_s is the largest cell of the noun's map,
    renormalised over the text and smoothed, as in Attend-and-Excite. With the cosine it lies in [-(1 + lambda) S, M]
    for S concepts and M modifiers. Each noun is pushed once however many modifiers it has, also if it has none, since
    the energy is conditioned on objects; only a prompt without concepts gets 0. A phrase that is the whole prompt has
    no other words, so nothing is pushed, where the published code divides by zero.

    A word of several tokens is the mean of their maps.
    """

    citations = ("zhang2024ebama",)

    distance: Distance = "cosine"
    pull: float = 1.0
    """Weight of the first term, nouns to their modifiers; 1 in the paper."""
    push: float = 1.0
    """Weight of the second term, nouns from the words outside; 1 in the paper."""
    intensity: float = 0.5
    """Lambda, the weight of the third term, which keeps the nouns strong."""
    shares: TextShares = field(default_factory=TextShares)
    """For the third term."""

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return L for each item."""
        aligned = sum_over_pairs(maps, prompts, self._pairs, _kl if self.distance == "kl" else _cosine)
        peaks = self.shares(maps, prompts).group(prompts).maps.amax((-2, -1))  # -> (batch, concept), 0 if not there
        return aligned - self.intensity * peaks.sum(1)

    def _pairs(self, prompt: Prompt) -> Iterator[Pair]:
        for concept in prompt.concepts:
            for modifier in concept.modifiers:
                yield Pair(concept.token_indices, modifier.token_indices, self.pull)
            others = outside(prompt, concept)
            for other in others:
                yield Pair(concept.token_indices, other, -self.push / len(others))


def _cosine(first: Tensor, second: Tensor) -> Tensor:
    return 1 - F.cosine_similarity(distributions(first), distributions(second), dim=-1)


def _kl(first: Tensor, second: Tensor) -> Tensor:
    return symmetric_kl(distributions(first), distributions(second))


EBAMA = Method(
    name="ebama",
    loss=EbamaLoss(shares=PUBLISHED_SHARES),
    settings=Settings(decay=(1.0, 1.0), guided=0.52),
    embedded=replace(EMBEDDED, step_size=10.0, guided=0.3),
)
"""SynGen with nouns alone pushed away, and each noun excited.

- Published, from its code: a constant step in 26 of 50 steps, without refinement.
- Embedded models: the published method that helps most there.
"""
