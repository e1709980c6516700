"""How far distributions are from each other: plain functions along the last dimension.

Knows distributions, which sum to 1 or are empty. Knows no maps. Finite, with finite gradients, also where one of them
is zero.
"""

from jaxtyping import Float
from torch import Tensor

from heedful.losses.normalise import at_least_tiny


def symmetric_kl(first: Float[Tensor, "*row cell"], second: Float[Tensor, "*row cell"]) -> Float[Tensor, "*row"]:
    """Return (KL(p||q) + KL(q||p)) / 2, in nats; 0 for equal distributions.

    Where one of them is zero it would be infinite; a zero counts as the smallest number to divide by instead.
    """
    return 0.5 * ((first - second) * (at_least_tiny(first).log() - at_least_tiny(second).log())).sum(-1)
