"""EBAMA (Zhang et al., ECCV 2024, arXiv 2404.07389): SynGen read as an energy of each object, which keeps it strong.

Knows the loss. It differs from SynGen in three things: the noun alone is pushed from the other words, maps are compared
by their cosine, and a second term keeps the nouns' own attention from moving to their modifiers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor

from heedful.attention import Convention, Maps
from heedful.losses.divergences import symmetric_kl
from heedful.losses.loss import Loss
from heedful.losses.normalise import Columns, text_softmax
from heedful.losses.words import Pair, distributions, outside, sum_over_pairs
from heedful.prompts import Prompt
from heedful.shapes import PerItem

Distance = Literal["cosine", "kl"]
"""1 less the cosine of two maps, in [0, 1]; SynGen's symmetric Kullback-Leibler divergence of their distributions."""


@dataclass(frozen=True, kw_only=True)
class EBAMA(Loss):
    """L = sum over concepts s of [sum over its modifiers a of D(s, a) - mean over u of D(s, u)] - lambda sum of m_s.

    u are the words outside the concept's phrase (`words.outside`); m_s is the largest cell of the noun's map,
    renormalised over the text and smoothed, as in `AttendAndExcite`. With the cosine it lies in [-(1 + lambda) S, M]
    for S concepts and M modifiers. Each noun is pushed once however many modifiers it has, also if it has none, since
    the energy is conditioned on objects; only a prompt without concepts gets 0. A phrase that is the whole prompt has
    no other words, so nothing is pushed, where the published code divides by zero.

    A word of several tokens is the mean of their maps.
    """

    citation: ClassVar[str] = "zhang2024ebama"

    distance: Distance = "cosine"
    pull: float = 1.0
    """Weight of the first term, nouns to their modifiers; 1 in the paper."""
    push: float = 1.0
    """Weight of the second term, nouns from the words outside; 1 in the paper."""
    intensity: float = 0.5
    """Lambda, the weight of the third term, which keeps the nouns strong."""
    scale: float = 100.0
    """Of the third term: sharpness of the renormalisation over the text."""
    reference_tokens: int | None = None
    """Of the third term: for how many tokens `scale` is meant; see `AttendAndExcite`."""
    columns: Columns = "padded"
    """Of the third term: tokens that take part in the renormalisation."""
    sigma: float | None = 0.5
    """Of the third term: smoothing in cells of the map; None for none."""
    convention: Convention = "reference"
    """How sigma is meant: the published code's effective sigma is .707."""

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return L for each item."""
        aligned = sum_over_pairs(maps, prompts, self._pairs, _kl if self.distance == "kl" else _cosine)
        return aligned - self.intensity * self._intensities(maps, prompts)

    def _pairs(self, prompt: Prompt) -> Iterator[Pair]:
        for concept in prompt.concepts:
            for modifier in concept.modifiers:
                yield Pair(concept.token_indices, modifier.token_indices, self.pull)
            others = outside(prompt, concept)
            for other in others:
                yield Pair(concept.token_indices, other, -self.push / len(others))

    def _intensities(self, maps: Maps, prompts: Sequence[Prompt]) -> PerItem:
        factor = 1.0 if self.reference_tokens is None else maps.tokens.shape[1] / self.reference_tokens
        shares = Maps(text_softmax(maps, prompts, self.scale * factor, self.columns))
        if self.sigma is not None:
            shares = shares.smooth(self.sigma, convention=self.convention)
        return shares.group(prompts).maps.amax((-2, -1)).sum(1)  # empty places are zero


def _cosine(first: Tensor, second: Tensor) -> Tensor:
    return 1 - F.cosine_similarity(distributions(first), distributions(second), dim=-1)


def _kl(first: Tensor, second: Tensor) -> Tensor:
    return symmetric_kl(distributions(first), distributions(second))
