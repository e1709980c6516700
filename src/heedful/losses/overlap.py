"""How much two maps share, by the ratios that papers use."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.losses.normalise import at_least_tiny

Ratio = Literal["paper", "true"]
"""sum min(a, b) / sum (a + b), in [0, 0.5], as in A-STAR; or sum min(a, b) / sum max(a, b), in [0, 1]."""


def overlap(
    first: Float[Tensor, "*pair height width"], second: Float[Tensor, "*pair height width"], ratio: Ratio
) -> Float[Tensor, "*pair"]:
    """Return how much two non-negative maps share, by the chosen ratio; 0 for disjoint maps."""
    whole = torch.maximum(first, second) if ratio == "true" else first + second
    return torch.minimum(first, second).sum((-2, -1)) / at_least_tiny(whole.sum((-2, -1)))
