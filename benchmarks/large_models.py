"""Operations and bytes of guidance for large models, counted at their published sizes without their weights.

Fake tensors have shapes and no values. One image of 1024x1024 pixels, in bfloat16. Read by `guidance_cost.py`; what it
means for a card is in `cards.py`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from counting import GIB, Living, count_pass
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D
from published_models import Published
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from heedful.attention import Reader, Record, SiteSelection, parts_of, published_sites, recomputing
from heedful.guidance.methods import ATTEND_AND_EXCITE
from heedful.steering.cost import operations


def count_model(published: Published) -> dict[str, Any]:
    """Count weights, a plain forward, and gradient passes up to several choices of sites."""
    with FakeTensorMode():
        denoiser = published.build()
        arguments = published.arguments()
        counted: dict[str, Any] = {"weights": weights(denoiser), "rows": published.rows, "steps": published.steps}
        with torch.no_grad():
            with Living() as living:
                denoiser(**arguments)
            whole, _ = operations(lambda: denoiser(**arguments))
        counted |= {"flops": whole, "plain_gib": living.peak / GIB, "passes": {}}
        for name, sites in choices(denoiser).items():
            counted["passes"][name] = {
                way: gradient_pass(denoiser, arguments, published, sites, whole, checkpoint=way == "checkpoint")
                for way in ("kept", "checkpoint")
            }
    return counted


def choices(denoiser: Any) -> dict[str, SiteSelection]:
    """The sites that are read by default, and others: published ones, a share of the blocks, or the down blocks."""
    default = ATTEND_AND_EXCITE.settings_for(denoiser).sites
    if default.names is not None:
        (first, _), *others = published_sites(denoiser).items()
        named = {f"default, {_name(first)}": default} | {_name(source): sites for source, sites in others}
        return named | {"first half of the blocks": SiteSelection(depth=(0.0, 0.5))}
    if default.depth is not None:
        return {"default, first half of the blocks": default, "first quarter": SiteSelection(depth=(0.0, 0.25))}
    return {"default, 32x32": default, "32x32, down blocks": replace(default, blocks=("down",))}


def _name(source: str) -> str:
    """Return the name of a paper, without where it stands."""
    return source.partition(",")[0]


def gradient_pass(
    denoiser: Any,
    arguments: dict[str, Any],
    published: Published,
    sites: SiteSelection,
    whole: int,
    *,
    checkpoint: bool,
) -> dict[str, float]:
    """Count a gradient pass: operations relative to a forward, what it keeps for the way back, and its peak."""
    reader = Reader(denoiser, sites)
    if reader.layout.packed_size is not None:  # which reads values that are not there
        reader.layout = replace(reader.layout, packed_size=lambda arguments: published.size)
    found: dict[str, float] = {}

    @contextmanager
    def open_pass() -> Iterator[tuple[Callable[[], Tensor], Tensor]]:
        given, latents = _differentiable(arguments[reader.layout.latents])
        record = Record()

        def forward() -> Tensor:
            once(denoiser.forward)
            torch.set_grad_enabled(True)
            found["sites"] = len(record)
            return record.maps().tokens.square().sum()

        changed = arguments | {reader.layout.latents: given}
        with reader.reading(changed, record, after_last="stop") as once:
            yield forward, latents

    with torch.enable_grad(), recomputing(parts_of(denoiser), wanted=checkpoint):
        return count_pass(denoiser, open_pass, whole) | found


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
