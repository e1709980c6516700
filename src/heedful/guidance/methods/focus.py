"""FOCUS (Bill et al. 2025, arXiv 2510.02315): the tokens of a concept look at one location, concepts at different ones.

The paper steers flow matching models by it; the loss is one like any other, on any maps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.attention import Convention, Groups, Maps, SiteSelection
from heedful.losses import Loss, at_least_tiny, jensen_shannon, missing_pair
from heedful.prompts import Prompt
from heedful.shapes import PerItem
from heedful.steering import EMBEDDED, Method, Settings


@dataclass(frozen=True, kw_only=True)
class FocusLoss(Loss):
    """L = 1/2 [mean over concepts s of D(tokens of s) + 1 - D(concepts)],   D = JSD / ln(number of members).

    JSD is the Jensen-Shannon divergence of maps that are cubed and then divided by their sum. The tokens of a concept
    are those of its noun and its modifiers; the map of a concept, in the second term, is the mean of theirs before the
    cube. In [0, 1]: 0 if the tokens of each concept have the same map and no two concepts meet. The scale of a token's
    map does not matter to the first term, that of a concept's map not to the second.

    A concept of one token has D = 0. A prompt with one concept has no second term; if that has one token, nothing is
    left, so it gets 0 and no gradient, and `heedful.guide` says so once.
    """

    citations = ("bill2025focus",)

    pull: float = 1.0
    """Weight of the first term, tokens to their concept; 1 in the paper."""
    push: float = 1.0
    """Weight of the second term, concepts from each other; 1 in the paper."""
    power: float = 3.0
    """Each map is raised to this power before it is divided by its sum: high cells count more."""
    sigma: float | None = 1.0
    """Smoothing in cells of the map, before all else; None for none."""
    convention: Convention = "true"
    """How sigma is meant. We take the published 1.0 at its word; whether its code does was not established."""

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return L for each item, in [0, 1] with the published weights."""
        if self.sigma is not None:
            maps = maps.smooth(self.sigma, convention=self.convention)
        phrases = [[concept.phrase for concept in prompt.concepts] for prompt in prompts]
        concepts = maps.group_tokens(phrases)
        count = concepts.is_there.sum(1)
        mixed = (1 - self._divergence(concepts)).masked_fill(count < 2, 0)
        items = [item for item, own in enumerate(phrases) for _ in own]
        rows = torch.tensor(items, dtype=torch.long, device=maps.tokens.device)
        tokens = Maps(maps.tokens[rows]).group_tokens([[(index,) for index in one] for own in phrases for one in own])
        scattered = torch.zeros_like(mixed).index_add(0, rows, self._divergence(tokens)) / count.clamp(min=1)
        return 0.5 * (self.pull * scattered + self.push * mixed)

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return that one concept of one token can neither be mixed nor be scattered."""
        is_scattered = any(len(concept.phrase) >= 2 for concept in prompt.concepts)
        return () if is_scattered else missing_pair("FocusLoss", prompt, "two concepts or one of several tokens")

    def _divergence(self, groups: Groups) -> Float[Tensor, "row"]:
        """Return how far the members of each row are apart, in [0, 1]; 0 if there are fewer than two."""
        cells = groups.maps.flatten(-2)  # -> (row, member, cell)
        # The cube of raw attention, about 1 / tokens, is next to nothing. The scale cancels, so no gradient is lost.
        sharp = (cells / at_least_tiny(cells.detach().amax(-1, keepdim=True))) ** self.power
        shares = sharp / at_least_tiny(sharp.sum(-1, keepdim=True))
        most = groups.is_there.sum(-1).clamp(min=2).to(shares.dtype).log()
        return (jensen_shannon(shares, groups.is_there) / most).clamp(max=1)


FOCUS = Method(
    name="focus",
    loss=FocusLoss(),
    settings=Settings(
        sites=SiteSelection(names=("[!s]*",)),
        scheme="one-pass",
        step_size=1.0,
        decay=(1.0, 1.0),
        decay_law="flow",
        guided=1.0,
    ),
    embedded=replace(EMBEDDED, guided=0.3),
)
"""The words of a concept look at one location, concepts at different ones.

- Published, from its code for flow matching models: v <- v - lambda 2 (1 - t + h) / (t + h) (1 - t) times the gradient,
  t the share of the way from noise to image and h = 0.001, in every step, from the forward that predicts v itself.
  Lambda is 1 to 5, depending on the model; `step_size` is lambda. All blocks of Stable Diffusion 3, the double ones of
  FLUX (its single ones alone have names that begin with s).
- Different here: t is the share of the run's steps that is done, also where a scheduler shifts its times. A change of v
  moves the latents by the length of the step times as much, which is how it is made here.
- Embedded models: Attend-and-Excite's step sizes in an update of its own; chosen before the code was read.
- U-Nets: the paper steers none; every site is read.
"""
