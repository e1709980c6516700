"""Operations and bytes of guidance for large models, counted at their published sizes without their weights.

Fake tensors have shapes and no values. One image of 1024x1024 pixels, in bfloat16. Read by `guidance_cost.py`; what it
means for a card is in `cards.py`.
"""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D
from guidance_operations import Living
from published_models import Published
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from heedful.attention import AfterLast, Reader, Record, SiteSelection, recomputing
from heedful.guidance.cost import operations
from heedful.guidance.methods import ATTEND_AND_EXCITE

GIB = 2**30
ENDS: tuple[AfterLast, ...] = ("stop", "detach")
"""How a gradient pass ends: at the last site (exact), or with a prediction (one-pass, prediction)."""


def count_model(published: Published) -> dict[str, Any]:
    """Count weights, a plain forward, and gradient passes up to several choices of sites."""
    with FakeTensorMode():
        denoiser = published.build()
        arguments = published.arguments()
        counted: dict[str, Any] = {"weights": weights(denoiser), "rows": published.rows, "steps": published.steps}
        with torch.no_grad(), Living() as living:
            whole, _ = operations(lambda: denoiser(**arguments))
        counted |= {"flops": whole, "plain_gib": living.peak / GIB, "passes": {}}
        for name, sites in choices(denoiser).items():
            counted["passes"][name] = {
                f"{after_last}{', checkpoint' * checkpoint}": gradient_pass(
                    denoiser, arguments, published, sites, after_last, whole, checkpoint=checkpoint
                )
                for after_last in ENDS
                for checkpoint in (False, True)
            }
    return counted


def choices(denoiser: Any) -> dict[str, SiteSelection]:
    """The sites that are read by default, and cheaper ones."""
    default = ATTEND_AND_EXCITE.settings_for(denoiser).sites
    found = {"default": default}
    if default.names is None and default.depth is None:
        return found | {"those of the down blocks": replace(default, blocks=("down",))}
    if default.depth is None:
        found |= {"first half of the blocks": SiteSelection(depth=(0.0, 0.5))}
    return found | {"first quarter of the blocks": SiteSelection(depth=(0.0, 0.25))}


def gradient_pass(
    denoiser: Any,
    arguments: dict[str, Any],
    published: Published,
    sites: SiteSelection,
    after_last: AfterLast,
    whole: int,
    *,
    checkpoint: bool,
) -> dict[str, float]:
    """Count a gradient pass: operations relative to a forward, what it keeps for the way back, and its peak."""
    reader = Reader(denoiser, sites)
    if reader.layout.packed_size is not None:  # which reads values that are not there
        reader.layout = replace(reader.layout, packed_size=lambda arguments: published.size)
    name = reader.layout.latents
    given, latents = _differentiable(arguments[name])
    record = Record()
    own = {parameter.untyped_storage()._cdata for parameter in denoiser.parameters()}
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            saved[storage._cdata] = storage.nbytes()
        return tensor

    def forward() -> Tensor:
        once(denoiser.forward)
        torch.set_grad_enabled(True)
        return record.maps().tokens.square().sum()

    with ExitStack() as stack:
        living = stack.enter_context(Living())
        stack.enter_context(torch.enable_grad())
        stack.enter_context(recomputing(denoiser, wanted=checkpoint))
        once = stack.enter_context(reader.reading(arguments | {name: given}, record, after_last=after_last))
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            there, value = operations(forward)
        back, _ = operations(lambda: torch.autograd.grad(value, latents))
    return {
        "sites": len(record),
        "forward": there / whole,
        "backward": back / whole,
        "saved_gib": sum(saved.values()) / GIB,
        "peak_gib": living.peak / GIB,
    }


def _differentiable(latents: Any) -> tuple[Any, Tensor]:
    """Return latents for the denoiser, and the tensor in them with respect to which is differentiated."""
    if isinstance(latents, list):
        (own,) = latents
        leaf = own.clone().requires_grad_()
        return [leaf], leaf
    leaf = latents.clone().requires_grad_()
    return leaf, leaf


def weights(denoiser: nn.Module) -> dict[str, float]:
    """Count the denoiser's weights, those of linear layers apart, the largest of these, and the largest block.

    A block here is what is run again on the way back at a time, and can be offloaded by itself.
    """
    linear = [module.weight for module in denoiser.modules() if isinstance(module, nn.Linear)]
    every = sum(parameter.numel() for parameter in denoiser.parameters())
    blocks: list[nn.Module] = [
        one for one in denoiser.modules() if isinstance(one, BasicTransformerBlock | ResnetBlock2D)
    ]
    if not blocks:
        blocks = [block for part in denoiser.children() if isinstance(part, nn.ModuleList) for block in part]
    sizes = [sum(parameter.numel() for parameter in block.parameters()) for block in blocks]
    return {
        "all": every,
        "linear": sum(weight.numel() for weight in linear),
        "largest": max(weight.numel() for weight in linear),
        "block": max(sizes),
        "outside": every - sum(sizes),
    }
