"""The denoisers of large models at their published sizes, and what one image of 1024x1024 pixels brings to them.

Configurations are those of each model's `transformer/config.json` or `unet/config.json`; where nothing is written here,
diffusers' classes have them as their defaults. FLUX.2 klein's stands in diffusers'
`scripts/convert_flux2_to_diffusers.py` as well.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import diffusers
import torch
from torch import Tensor

Arguments = dict[str, Any]
SIDE = 1024
LATENTS = SIDE // 8


@dataclass(frozen=True, kw_only=True)
class Published:
    """One model."""

    kind: str
    """The class of its denoiser."""
    source: str
    """The repository whose configuration it has."""
    config: dict[str, Any] = field(default_factory=dict)
    """What differs from the defaults of the class."""
    arguments: Callable[[], Arguments]
    """The arguments of a call with one row."""
    size: tuple[int, int]
    """Height and width of the latents in cells, as the denoiser takes them."""
    rows: int
    """Rows of a step for each image: 2 under classifier-free guidance, 1 where it is distilled into the model."""
    steps: int
    """Steps of its pipeline's documented example."""

    def build(self) -> Any:
        """Return the denoiser, in bfloat16 and without gradients of its weights."""
        dtype = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16)
        try:
            return getattr(diffusers, self.kind)(**self.config).requires_grad_(False).eval()
        finally:
            torch.set_default_dtype(dtype)


def _numbers(*shape: int) -> Tensor:
    return torch.zeros(*shape, dtype=torch.bfloat16)


def _time() -> Tensor:
    return torch.zeros(1, dtype=torch.bfloat16)


def _sdxl() -> Arguments:
    return {
        "sample": _numbers(1, 4, LATENTS, LATENTS),
        "timestep": torch.zeros(1),
        "encoder_hidden_states": _numbers(1, 77, 2048),
        "added_cond_kwargs": {"text_embeds": _numbers(1, 1280), "time_ids": _numbers(1, 6)},
    }


def _sd35() -> Arguments:
    """77 tokens of CLIP and 256 of T5."""
    return {
        "hidden_states": _numbers(1, 16, LATENTS, LATENTS),
        "encoder_hidden_states": _numbers(1, 333, 4096),
        "pooled_projections": _numbers(1, 2048),
        "timestep": _time(),
    }


CELLS = (LATENTS // 2) ** 2
"""Packed latents: 2x2 of them are a cell."""


def _flux() -> Arguments:
    return {
        "hidden_states": _numbers(1, CELLS, 64),
        "encoder_hidden_states": _numbers(1, 512, 4096),
        "pooled_projections": _numbers(1, 768),
        "timestep": _time(),
        "img_ids": _numbers(CELLS, 3),
        "txt_ids": _numbers(512, 3),
        "guidance": _time(),
    }


def _flux2() -> Arguments:
    return {
        "hidden_states": _numbers(1, CELLS, 128),
        "encoder_hidden_states": _numbers(1, 512, 7680),
        "timestep": _time(),
        "img_ids": _numbers(1, CELLS, 4),
        "txt_ids": _numbers(1, 512, 4),
    }


def _qwen() -> Arguments:
    """A prompt of some sentences: 256 tokens."""
    side = LATENTS // 2
    return {
        "hidden_states": _numbers(1, CELLS, 64),
        "encoder_hidden_states": _numbers(1, 256, 3584),
        "timestep": _time(),
        "img_shapes": [[(1, side, side)]],
    }


def _z_image() -> Arguments:
    return {
        "x": [_numbers(16, 1, LATENTS, LATENTS)],
        "t": _time(),
        "cap_feats": [_numbers(256, 2560)],
    }


MODELS: dict[str, Published] = {
    "SDXL": Published(
        kind="UNet2DConditionModel",
        source="stabilityai/stable-diffusion-xl-base-1.0",
        config={
            "sample_size": LATENTS,
            "block_out_channels": (320, 640, 1280),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": (1, 2, 10),
            "attention_head_dim": (5, 10, 20),
            "cross_attention_dim": 2048,
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
        },
        arguments=_sdxl,
        size=(LATENTS, LATENTS),
        rows=2,
        steps=50,
    ),
    "SD3.5 medium": Published(
        kind="SD3Transformer2DModel",
        source="stabilityai/stable-diffusion-3.5-medium",
        config={
            "num_layers": 24,
            "num_attention_heads": 24,
            "caption_projection_dim": 1536,
            "pos_embed_max_size": 384,
            "dual_attention_layers": tuple(range(13)),
            "qk_norm": "rms_norm",
        },
        arguments=_sd35,
        size=(LATENTS, LATENTS),
        rows=2,
        steps=40,
    ),
    "FLUX.1-dev": Published(
        kind="FluxTransformer2DModel",
        source="black-forest-labs/FLUX.1-dev",
        config={"guidance_embeds": True},
        arguments=_flux,
        size=(LATENTS // 2, LATENTS // 2),
        rows=1,
        steps=50,
    ),
    "FLUX.2 klein 4B": Published(
        kind="Flux2Transformer2DModel",
        source="black-forest-labs/FLUX.2-klein-4B",
        config={
            "num_layers": 5,
            "num_single_layers": 20,
            "num_attention_heads": 24,
            "joint_attention_dim": 7680,
            "guidance_embeds": False,
        },
        arguments=_flux2,
        size=(LATENTS // 2, LATENTS // 2),
        rows=1,
        steps=4,
    ),
    "Qwen-Image": Published(
        kind="QwenImageTransformer2DModel",
        source="Qwen/Qwen-Image",
        arguments=_qwen,
        size=(LATENTS // 2, LATENTS // 2),
        rows=2,
        steps=50,
    ),
    "Z-Image-Turbo": Published(
        kind="ZImageTransformer2DModel",
        source="Tongyi-MAI/Z-Image-Turbo",
        arguments=_z_image,
        size=(LATENTS, LATENTS),
        rows=1,
        steps=8,
    ),
}
