"""One pass of a denoiser whose maps say something of its latents: what they say, and the gradient of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from heedful.attention import Forward, Maps, Reader, Record, full_precision
from heedful.shapes import Latents
from heedful.steering.call import Call


@dataclass(frozen=True)
class Differentiated:
    """What one pass gave."""

    values: Tensor
    """What `measure` said of the maps, without graph."""
    gradient: Latents
    """The gradient of the sum of the values, with respect to the latents."""
    maps: Maps
    """Without graph, and without self-attention."""
    output: Any
    """The denoiser's, if it was asked for."""
    has_gradient: bool = True
    """Whether the values depend on the latents at all."""


def differentiate(
    reader: Reader,
    forward: Forward,
    call: Call,
    items: Sequence[int],
    latents: Latents,
    measure: Callable[[Maps], Tensor],
    *,
    self_attention: bool = False,
    predict: bool = False,
) -> Differentiated:
    """Run the conditional rows of `items` at `latents` with gradients, up to the last wanted site.

    - `reader` knows the wanted sites, and `forward` is the denoiser's own.
    - `call` is the pipeline's call of the denoiser, whose conditional rows of `items` run at `latents` instead.
    - `measure` turns the maps of that pass into the values whose sum is differentiated.
    - `self_attention` says whether it needs self-attention.
    - `predict`: the pass goes on to its end, without gradients; otherwise it ends at the last wanted site.

    The graph is freed before this returns.
    """
    record = Record()
    with torch.enable_grad():
        latents = latents.detach().requires_grad_()
        reading = reader.reading(
            call.conditional(items, latents),
            record,
            after_last="detach" if predict else "stop",
            self_attention=self_attention,
        )
        with reading as once:
            output = once(call.through(forward))
            torch.set_grad_enabled(True)  # the pass that goes on has turned them off
            with full_precision(latents.device.type):
                maps = record.maps()
                values = measure(maps)
            has_gradient = values.requires_grad
            if has_gradient:
                (gradient,) = torch.autograd.grad(values.sum(), latents)
            else:  # a loss that has nothing to say yet, such as retention at the first step
                gradient = torch.zeros_like(latents)
    seen = replace(maps, self_attention=None).detach()
    return Differentiated(values.detach(), gradient, seen, output, has_gradient)
