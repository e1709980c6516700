"""Divide & Bind (Li et al., BMVC 2023, arXiv 2307.10864): concepts excite several locations, modifiers the same ones.

Where the paper leaves open how maps are brought to a common scale, this is what its code was seen to do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.attention import Maps
from heedful.losses import PUBLISHED_SHARES, Loss, TextShares, jensen_shannon, missing_modifiers
from heedful.prompts import Prompt
from heedful.shapes import PerItem
from heedful.steering import EMBEDDED, Method, Settings

Differences = Literal["true", "reference"]
"""Between vertical neighbours; or, as the published code has it, between each row and the last one."""

EVERYWHERE = 1e-5
"""Added to each cell before the divergence, as published: no cell is zero."""


@dataclass(frozen=True, kw_only=True)
class DivideAndBindLoss(Loss):
    """L = max over concepts s of bind * JSD(N(A_s), N(A_a)) - attend * TV(A_s),   a the modifier of s.

    TV(A) = mean of abs(A(y, x + 1) - A(y, x)) + mean of abs(A(y + 1, x) - A(y, x)), in [0, 2]: many borders, so not an
    even area. N(A) = max(0, softmax of A over the cells - q max of softmax of A_s over the cells) + 1e-5, which does
    not sum to 1; the noun's maximum cuts both maps. q is 0.3 while TV(A_s) is below 0.1, then 0.2. Maps are first
    renormalised over the text and smoothed, as in Attend-and-Excite.

    The paper's attendance loss, - min of TV, is `DivideAndBindLoss(bind=0.0)`, in [-2, 0]. Only the concept with the
    largest term gets a gradient. Binding is weak by construction: a softmax of values in [0, 1] is nearly even, so
    that two of them are never far apart.

    A concept without a modifier has no JSD, one with several has their mean. A prompt without concepts gets 0; without
    an attendance, so does one without modifiers. The published code takes the modifiers' maps from finer sites; here
    all come from the maps that are given. A concept of several tokens is their mean.
    """

    citations = ("li2023divide",)

    attend: float = 1.0
    """Weight of the total variation."""
    bind: float = 1.0
    """Weight of the divergence. The published code has 1, from step 10 of 50 on 5, and from step 20 on 10."""
    differences: Differences = "true"
    """What the vertical part of TV compares."""
    cut: float = 0.2
    """q, the share of the noun's maximum below which a cell does not count in the divergence."""
    cut_if_weak: float = 0.3
    """q for concepts whose TV is below `weak_below`."""
    weak_below: float = 0.1
    shares: TextShares = field(default_factory=TextShares)

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return L for each item."""
        shares = self.shares(maps, prompts)
        nouns = shares.group(prompts)
        if nouns.maps.shape[1] == 0:
            return maps.tokens.new_zeros(len(maps))
        variation = total_variation(nouns.maps, self.differences)
        values = self.bind * self._apart(shares, prompts, nouns.maps, variation) - self.attend * variation
        worst = values.masked_fill(~nouns.is_there, -torch.inf).amax(1)
        return worst.masked_fill(~nouns.is_there.any(1), 0)

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return that there is nothing to attend to, or to bind if that is all that is asked for."""
        return super().idle_for(prompt) if self.attend else missing_modifiers("DivideAndBindLoss(attend=0.0)", prompt)

    def _apart(
        self,
        shares: Maps,
        prompts: Sequence[Prompt],
        nouns: Float[Tensor, "batch concept height width"],
        variation: Float[Tensor, "batch concept"],
    ) -> Float[Tensor, "batch concept"]:
        """Return how far each concept's modifiers are from it: the mean of their divergences, 0 without modifiers."""
        rows = list(_rows(prompts))
        if not rows:
            return torch.zeros_like(variation)
        item, concept, index = torch.tensor([row[:3] for row in rows], device=nouns.device).unbind(1)
        words = [[it.token_indices for concept in prompt.concepts for it in concept.modifiers] for prompt in prompts]
        modifiers = shares.group_tokens(words).maps
        is_weak = variation.detach()[item, concept] < self.weak_below
        q = torch.where(is_weak, nouns.new_tensor(self.cut_if_weak), nouns.new_tensor(self.cut))
        # -> (modifier, cell), each
        noun, modifier = nouns[item, concept].flatten(-2).softmax(-1), modifiers[item, index].flatten(-2).softmax(-1)
        border = q[:, None] * noun.amax(-1, keepdim=True)
        # -> (modifier, 2, cell)
        pair = torch.stack([noun - border, modifier - border], dim=-2).clamp(min=0) + EVERYWHERE
        values = jensen_shannon(pair) * pair.new_tensor([row[3] for row in rows])
        return torch.zeros_like(variation).index_put((item, concept), values, accumulate=True)


def _rows(prompts: Sequence[Prompt]) -> Iterator[tuple[int, int, int, float]]:
    """Yield each modifier's item, concept, position among the item's modifiers, and share in its concept's mean."""
    for item, prompt in enumerate(prompts):
        owners = [(owner, 1 / len(it.modifiers)) for owner, it in enumerate(prompt.concepts) for _ in it.modifiers]
        yield from ((item, owner, index, share) for index, (owner, share) in enumerate(owners))


def total_variation(
    maps: Float[Tensor, "batch concept height width"], differences: Differences = "true"
) -> Float[Tensor, "batch concept"]:
    """Return the mean absolute difference of horizontal neighbours plus that of vertical ones, in [0, 2].

    A map of one column or one row has no such neighbours, which count as no difference.
    """
    upper = maps[..., -1:, :] if differences == "reference" else maps[..., :-1, :]
    steps = (maps[..., 1:] - maps[..., :-1], maps[..., 1:, :] - upper)
    parts = [step.abs().mean((-2, -1)) if step.numel() else torch.zeros_like(maps[..., 0, 0]) for step in steps]
    return parts[0] + parts[1]


DIVIDE_AND_BIND = Method(
    name="divide-and-bind",
    loss=DivideAndBindLoss(shares=PUBLISHED_SHARES),
    settings=Settings(guided=0.5, targets=((0.0, -0.05), (0.2, -0.2), (0.4, -0.3)), max_refinements=50),
    embedded=EMBEDDED,
)
"""Concepts excite several locations, modifiers the same ones.

- Published, from its code: refined at steps 0, 10 and 20 of 50 until the total variation is 0.05, 0.2 and 0.3; here,
  until the whole loss is below minus that.
- Not here: the code raises the weight of the binding from 1 to 5 at step 10 and to 10 at step 20. A method has one loss
  for the whole run, so it stays 1.
"""
