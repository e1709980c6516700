"""Exclusivity: no cell should belong to two concepts.

It asks what A-STAR's `Segregation` asks, and differs in what counts:

- Segregation compares amounts, min(A_m, A_n), so a concept that is neglected lowers it: a map near zero shares little,
  and vanishing is a way to the minimum. Here each concept is a distribution over the cells, and its strength is of no
  account.
- In a contested cell min() pushes down the weaker map alone; here every concept that takes part is moved.
- Segregation is a sum over pairs; here all concepts meet in one contest, which is in [0, 1] for any number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from heedful.attention import Maps
from heedful.losses.loss import Loss
from heedful.losses.normalise import Preparation, at_least_tiny
from heedful.losses.words import missing_pair
from heedful.prompts import Prompt
from heedful.shapes import PerItem

Impurity = Literal["gini", "entropy"]
"""How mixed the owners of a cell are: the chance that two draws differ, or the entropy of a draw."""


@dataclass(frozen=True, kw_only=True)
class Exclusivity(Loss):
    """L = 1 / (K - 1) sum over concepts m and cells x of p_m(x) (1 - s_m(x)),   s_m(x) = p_m(x) / sum over n of p_n(x).

    p_m is the concept's map divided by its sum, s_m its share in the contest for a cell, K the number of concepts. So
    (K - 1) L is the number of concepts whose cell, drawn by its attention, goes to another concept if the cell then
    draws its owner by the shares. In [0, 1]: 0 for disjoint maps, 1 for maps that are equal up to their scale.

    With impurity="entropy" it is 1 / (K ln K) sum of p_m(x) (-ln s_m(x)): how uncertain the concept is if the cell is
    known, which is 1 less the Jensen-Shannon divergence of all K distributions over its maximum ln K.

    A prompt with fewer than two concepts has no contest, so it gets 0 and no gradient.
    """

    impurity: Impurity = "gini"

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return how contested the cells of each item are, in [0, 1]."""
        groups = Preparation(normalisation="sum")(maps, prompts)
        shares = groups.maps / at_least_tiny(groups.maps.sum(1, keepdim=True))
        lost = -at_least_tiny(shares).log() if self.impurity == "entropy" else 1 - shares
        contested = (groups.maps * lost).sum((1, 2, 3))
        count = groups.is_there.sum(1)
        several = count.clamp(min=2).to(contested.dtype)
        most = several * torch.log(several) if self.impurity == "entropy" else several - 1
        return (contested / most).masked_fill(count < 2, 0)

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return that fewer than two concepts have no contest."""
        return missing_pair("Exclusivity", prompt)
