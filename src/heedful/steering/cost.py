"""What a gradient pass costs a denoiser, counted in operations, relative to one forward.

A run's `trace.cost` multiplies these shares by its rows.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from diffusers import SD3Transformer2DModel, UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from heedful.attention import Reader, Record, Sites, SiteSelection, frozen, parts_of, recomputing


def _fused(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return sdpa_flop_count(query, key, value)


def _fused_backward(gradient: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return sdpa_backward_flop_count(gradient, query, key, value)


_FUSED = {  # which torch counts for a GPU, but not for a CPU
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _fused,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _fused_backward,
}


class GradientShares(NamedTuple):
    """Operations of one row of a gradient pass, relative to a whole forward of that row."""

    forward: float
    """Up to the last wanted site."""
    backward: float
    """From its map back to the latents, with parameters frozen."""


def operations(run: Callable[[], Any]) -> tuple[int, Any]:
    """Return the floating-point operations in the products and convolutions of `run()`, and what it returns."""
    with FlopCounterMode(display=False, custom_mapping=_FUSED) as counter:
        result = run()
    return counter.get_total_flops(), result


def gradient_shares(denoiser: Any, sites: Sites, arguments: dict[str, Any]) -> GradientShares:
    """Count the operations of a gradient pass of `denoiser(**arguments)`, with parameters frozen.

    The latents among the arguments decide the size. Raises what `Reader.run` raises.
    """
    reader = Reader(denoiser, sites)
    name = reader.layout.latents
    latents = arguments[name].detach().requires_grad_()

    def forward() -> torch.Tensor:
        record = Record()
        reader.run(denoiser.forward, arguments | {name: latents}, record, after_last="stop")
        return record.maps().tokens.square().sum()

    with torch.no_grad():
        whole, _ = operations(lambda: denoiser(**arguments))
    parts = parts_of(denoiser)
    with frozen(parts), recomputing(parts, wanted=False), torch.enable_grad():
        there, value = operations(forward)
        back, _ = operations(lambda: torch.autograd.grad(value, latents))
    return GradientShares(there / whole, back / whole)


def pipeline_shares(pipe: Any, sites: SiteSelection) -> GradientShares | None:
    """Count the operations of a gradient pass over one image, at the pipeline's own size: Stable Diffusion 1, 2 and 3.

    Returns None for a pipeline whose denoiser is called in another way.
    """
    denoiser = getattr(pipe, "unet", None) or getattr(pipe, "transformer", None)
    if isinstance(denoiser, UNet2DConditionModel) and denoiser.config.get("addition_embed_type") is None:
        shapes = _unet_shapes(denoiser.config, pipe.tokenizer.model_max_length)
        timestep = torch.tensor(1, device=pipe.device)
    elif isinstance(denoiser, SD3Transformer2DModel):
        # whether T5 is there or not, as many tokens as the pipeline lets it have follow those of CLIP
        t5 = inspect.signature(pipe._get_t5_prompt_embeds).parameters["max_sequence_length"].default
        shapes = _sd3_shapes(denoiser.config, pipe.tokenizer_max_length + t5)
        timestep = torch.ones(1, device=pipe.device)
    else:
        return None
    arguments: dict[str, Any] = {
        name: torch.zeros(1, *shape, device=pipe.device, dtype=denoiser.dtype) for name, shape in shapes.items()
    }
    return gradient_shares(denoiser, sites, arguments | {"timestep": timestep})


def _unet_shapes(config: Any, tokens: int) -> dict[str, tuple[int, ...]]:
    return {
        "sample": (config.in_channels, config.sample_size, config.sample_size),
        "encoder_hidden_states": (tokens, config.cross_attention_dim),
    }


def _sd3_shapes(config: Any, tokens: int) -> dict[str, tuple[int, ...]]:
    return {
        "hidden_states": (config.in_channels, config.sample_size, config.sample_size),
        "encoder_hidden_states": (tokens, config.joint_attention_dim),
        "pooled_projections": (config.pooled_projection_dim,),
    }
