"""DisenDiff (Zhang et al., CVPR 2024, arXiv 2403.18551): a modifier means its concept, and concepts keep apart.

These losses are what teaching adds to the denoising loss. The paper calls its class token a concept's noun and
its modifier token the concept's modifier: "a <cat1> cat and a <dog1> dog". Where paper and published code differ, the
default is the code, whose figures the paper shows, and the paper is an option:

| | code | paper |
|---|---|---|
| maps, before the Gaussian | moved to [0, 1] | as they are: `normalisation="none"` |
| IoU(a, b) | (sum ab + 1) / (sum (a + b - ab) + 1) | not written out; `ratio="true"` is intersection over union |
| separation of more than two concepts | mean over pairs | `reduction="sum"` |
| weight of both in training | 0.01 | none written; the trainer's |
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.attention import Convention, Maps, filters
from heedful.losses import Loss, Pair, at_least_tiny, missing_modifiers, missing_pair, sum_over_pairs
from heedful.prompts import Prompt
from heedful.shapes import PerItem
from heedful.teaching.methods.custom_diffusion import CUSTOM_DIFFUSION

Scaling = Literal["min-max", "none"]
"""Each map moved to [0, 1], or as it is."""

Suppressions = Literal[0, 1, 2]
"""How often a class map is squared, cell by cell, which suppresses its low cells: the paper's f_m is 1."""

ProductRatio = Literal["product", "true"]
"""(sum ab + 1) / (sum (a + b - ab) + 1), or sum min(a, b) / sum max(a, b); both in [0, 1]."""

PairMaps = Float[Tensor, "pair height width"]


@dataclass(frozen=True, kw_only=True)
class Bind(Loss):
    """L = sum over (modifier m, class c) of 1 - IoU(G(m), f(G(c)))   (DisenDiff, L_bind).

    G is a Gaussian, f the square of each cell. The class side is constant: no gradient flows to the class map, so the
    modifier comes to the class and never the other way. In [0, 1] for each pair; 0 if modifier and class are the same
    binary map. With the product ratio a soft map is not like itself, so that it rarely comes near 0.

    A prompt whose concepts have no modifiers gets 0 and no gradient. A concept with several modifiers binds each of
    them. A word of several tokens is the mean of their maps, where the published code takes its first token.
    """

    citations = ("zhang2024disendiff",)

    normalisation: Scaling = "min-max"
    sigma: float | None = 0.5
    """Smoothing in cells of the map; None for none."""
    convention: Convention = "reference"
    """How sigma is meant: the published code's effective sigma is 0.707."""
    suppressions: Suppressions = 1
    ratio: ProductRatio = "product"

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return the sum over the (modifier, class) pairs of each item."""
        return sum_over_pairs(maps, prompts, _modifiers_and_classes, self._distance)

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return that without modifiers there is nothing to bind."""
        return missing_modifiers("Bind", prompt)

    def _distance(self, modifiers: Tensor, classes: Tensor) -> Tensor:
        target = _prepared(classes.detach(), self.normalisation, self.sigma, self.convention, self.suppressions)
        bound = _prepared(modifiers, self.normalisation, self.sigma, self.convention, 0)
        return 1 - _likeness(bound, target, self.ratio)


@dataclass(frozen=True, kw_only=True)
class SeparateAndStrengthen(Loss):
    """L = mean over pairs of classes i < j of IoU(f(G(c_i)), f(G(c_j)))   (DisenDiff, L_s&s).

    G is a Gaussian, f the square of each cell. In [0, 1]. With the product ratio disjoint classes get 1 / (union + 1),
    so that larger areas lower it: that is the strengthening. With the true ratio they get 0, and nothing strengthens.

    A prompt with fewer than two concepts has no pair, so it gets 0 and no gradient. A word of several tokens is the
    mean of their maps, where the published code takes its first token.
    """

    citations = ("zhang2024disendiff",)

    normalisation: Scaling = "min-max"
    sigma: float | None = 0.5
    """Smoothing in cells of the map; None for none."""
    convention: Convention = "reference"
    """How sigma is meant: the published code's effective sigma is 0.707."""
    suppressions: Suppressions = 1
    ratio: ProductRatio = "product"
    reduction: Literal["mean", "sum"] = "mean"
    """Over the pairs of three or more concepts; two are one pair."""

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return the mean or sum over the pairs of classes of each item."""
        return sum_over_pairs(maps, prompts, self._pairs, self._overlap)

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return that fewer than two concepts have no pair."""
        return missing_pair("SeparateAndStrengthen", prompt)

    def _pairs(self, prompt: Prompt) -> Iterator[Pair]:
        pairs = list(combinations([concept.token_indices for concept in prompt.concepts], 2))
        weight = 1 / len(pairs) if self.reduction == "mean" and pairs else 1.0
        return (Pair(first, second, weight) for first, second in pairs)

    def _overlap(self, first: Tensor, second: Tensor) -> Tensor:
        one, other = (
            _prepared(classes, self.normalisation, self.sigma, self.convention, self.suppressions)
            for classes in (first, second)
        )
        return _likeness(one, other, self.ratio)


def _modifiers_and_classes(prompt: Prompt) -> Iterator[Pair]:
    return (
        Pair(modifier.token_indices, concept.token_indices)
        for concept in prompt.concepts
        for modifier in concept.modifiers
    )


def _prepared(
    maps: PairMaps, normalisation: Scaling, sigma: float | None, convention: Convention, suppressions: Suppressions
) -> PairMaps:
    """Return maps scaled, smoothed and suppressed, in this order."""
    if normalisation == "min-max":
        lowest = maps.amin((-2, -1), keepdim=True)
        maps = (maps - lowest) / at_least_tiny(maps.amax((-2, -1), keepdim=True) - lowest)
    if sigma is not None:
        maps = filters.smooth(maps[:, None], sigma, convention=convention)[:, 0]
    for _ in range(suppressions):
        maps = maps * maps
    return maps


def _likeness(first: PairMaps, second: PairMaps, ratio: ProductRatio) -> Float[Tensor, "pair"]:
    cells = (-2, -1)
    if ratio == "true":
        return torch.minimum(first, second).sum(cells) / at_least_tiny(torch.maximum(first, second).sum(cells))
    shared = (first * second).sum(cells)
    return (shared + 1) / ((first + second).sum(cells) - shared + 1)


DISENDIFF = replace(
    CUSTOM_DIFFUSION, name="disendiff", loss=Bind() + SeparateAndStrengthen(), citation="zhang2024disendiff"
)
"""A word's map comes to the map of its class noun (L_bind), and the maps of the nouns part (L_s&s).

- Published: Custom Diffusion's numbers; the losses weigh 0.01 in the code, and the paper gives no weight.
- Where paper and code differ, the default is the code, whose figures the paper shows. Every choice is a field of `Bind`
  and `SeparateAndStrengthen`, which say which; `DISENDIFF.with_loss(ratio="true")` changes it.
- Different here, in addition to what differs for Custom Diffusion:
  - The published loss is one mean over the mixed batch. Here the denoising losses of training and class images are two
    means, so the losses on maps count 0.5 to 0.67 times as much next to them.
  - A word of several tokens has the mean of their maps, where the code takes the first token. A concept with several
    modifiers binds each of them.
  - Maps are scaled by max(range, 1.2e-7), where the code adds 1e-8: it differs by more than 1e-5 only for ranges below
    1e-3. Masks are shrunk to the latents by area.
  - Embedded models: maps of 8x8 locations at 2 sites of the up blocks instead of 16x16 at 5. The Gaussian covers twice
    the share of such a map, and the 1 in the ratio weighs four times as much. Images are mirrored alone.
- Measured: at 0.01 the losses on maps are 1.6 % of the denoising gradient on keys, 0.3 % on values and 2.9 % on the
  words (embedded model, one image, mean of 10 readings over 60 steps), and they hardly fall (1.88 to 1.84).
"""

DISENDIFF_LORA = DISENDIFF.as_lora()
"""Low-rank additions to the same keys and values."""
