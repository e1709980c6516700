"""SynGen (Rassin et al., NeurIPS 2023, arXiv 2306.08877): modifiers look where their noun looks, and nobody else does.

The paper takes nouns and modifiers from a dependency parse; here they come from the prompt's concepts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from heedful.attention import Maps, SiteSelection
from heedful.losses import Loss, Pair, distributions, missing_modifiers, outside, sum_over_pairs, symmetric_kl
from heedful.prompts import Prompt
from heedful.shapes import PerItem
from heedful.steering import EMBEDDED, Method, Settings


@dataclass(frozen=True, kw_only=True)
class SynGenLoss(Loss):
    """L = sum over (modifier a, noun s) of D(s, a) - 1/2 [mean over u of D(s, u) + mean over u of D(a, u)].

    D(p, q) = (KL(p||q) + KL(q||p)) / 2 of raw maps divided by their sum; u are the words outside the concept's phrase
    (`heedful.losses.outside`). Unbounded in both directions: negative if nouns and modifiers are farther from the other
    words than from each other. A phrase that is the whole prompt has no other words, so nothing is pushed.

    A concept without modifiers is no pair, so a prompt of such concepts alone gets 0 and no gradient;
    `heedful.guide` says so once. A word of several tokens is the mean of their maps, where the published code takes
    their maximum.
    """

    citations = ("rassin2023syngen",)

    pull: float = 1.0
    """Weight of the first term, nouns to their modifiers; 1 in the paper."""
    push: float = 1.0
    """Weight of the second term, both from the words outside; 1 in the paper."""

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return the sum over the (modifier, noun) pairs of each item."""
        return sum_over_pairs(maps, prompts, self._pairs, _distance)

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return that without modifiers there is nothing to bind."""
        return missing_modifiers("SynGenLoss", prompt)

    def _pairs(self, prompt: Prompt) -> Iterator[Pair]:
        for concept in prompt.concepts:
            others = outside(prompt, concept)
            for modifier in concept.modifiers:
                yield Pair(concept.token_indices, modifier.token_indices, self.pull)
                for other in others:
                    weight = -0.5 * self.push / len(others)
                    yield Pair(concept.token_indices, other, weight)
                    yield Pair(modifier.token_indices, other, weight)


def _distance(first: Tensor, second: Tensor) -> Tensor:
    return symmetric_kl(distributions(first), distributions(second))


SYNGEN = Method(
    name="syngen",
    loss=SynGenLoss(),
    settings=Settings(decay=(1.0, 1.0), guided=0.5),
    embedded=replace(EMBEDDED, sites=SiteSelection(scale=2), step_size=3.0, guided=0.3),
)
"""Modifiers look where their nouns look, and nothing else does. It has nothing to do for a prompt without modifiers.

- Published, from its code: a constant step in 25 of 50 steps, without refinement.
- Embedded models: every 8x8 site was better than the best one alone.
- Left open: how a word of several tokens is read; here their mean, where the code takes the maximum.
"""
