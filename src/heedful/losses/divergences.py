"""How far distributions are from each other: plain functions along the last dimension.

Distributions sum to 1 or are empty. Values and gradients are finite, also where one of them is zero.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from heedful.losses.normalise import at_least_tiny


def symmetric_kl(first: Float[Tensor, "*row cell"], second: Float[Tensor, "*row cell"]) -> Float[Tensor, "*row"]:
    """Return (KL(p||q) + KL(q||p)) / 2, in nats; 0 for equal distributions.

    Where one of them is zero it would be infinite; a zero counts as the smallest number to divide by instead.
    """
    return 0.5 * ((first - second) * (at_least_tiny(first).log() - at_least_tiny(second).log())).sum(-1)


def jensen_shannon(
    members: Float[Tensor, "*row member cell"], is_there: Bool[Tensor, "*row member"] | None = None
) -> Float[Tensor, "*row"]:
    """Return the mean over K members p_k of KL(p_k || m), m their mean, in nats.

    In [0, ln K]: 0 for equal members, ln K for disjoint ones, and 0 for one member or none. Members that are not there
    do not count. Never negative for non-negative measures either, which need not sum to 1 (but it has no upper bound
    then).
    """
    if is_there is None:
        is_there = members.new_ones(members.shape[:-1], dtype=torch.bool)
    members = members.masked_fill(~is_there[..., None], 0)
    count = is_there.sum(-1).clamp(min=1)
    mean = members.sum(-2) / count[..., None]
    apart = members * (at_least_tiny(members).log() - at_least_tiny(mean).log()[..., None, :])
    return (apart.sum((-2, -1)) / count).clamp(min=0)  # rounding alone makes it negative
