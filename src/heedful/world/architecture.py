"""The shapes of the embedded model's parts, as plain configs of diffusers and transformers classes.

Latents are 8 channels at a quarter of the image's side (16x16 for 64x64 px). The denoiser attends to the text at 8x8
(one site in the down half, two in the up half) and in the 4x4 middle.
"""

from typing import Any, cast

from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from heedful.world.tokenizer import LENGTH

LATENT_CHANNELS = 8
PATCH = 4
TEXT_WIDTH = 128

UNET: dict[str, Any] = {
    "sample_size": 16,
    "in_channels": LATENT_CHANNELS,
    "out_channels": LATENT_CHANNELS,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (64, 112, 192),
    "layers_per_block": 1,
    "cross_attention_dim": TEXT_WIDTH,
    "attention_head_dim": 4,
    "norm_num_groups": 8,
}

CROWDED_UNET: dict[str, Any] = UNET | {
    "block_out_channels": (64, 112, 96),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
}
"""Narrower where the grid is 4x4, and it attends to the text at 16x16 too."""

AUTOENCODER: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": LATENT_CHANNELS,
    "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3,
    "block_out_channels": (16, 48, 64),
    "layers_per_block": 1,
    "norm_num_groups": 1,
    "mid_block_add_attention": False,
    "sample_size": 64,
    "scaling_factor": 1.0,
    "force_upcast": False,
}

SCHEDULER: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def build_unet(**changes: Any) -> UNet2DConditionModel:
    """The denoiser with random weights; `changes` overrides fields of the config (tests use smaller ones)."""
    return UNet2DConditionModel(**(UNET | changes))


def build_text_encoder(tokenizer: CLIPTokenizer, width: int = TEXT_WIDTH, layers: int = 2) -> CLIPTextModel:
    """The text encoder with random weights: CLIP's transformer, 2 layers of width 128."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=4 * width,
            projection_dim=width,
            num_hidden_layers=layers,
            num_attention_heads=4,
            max_position_embeddings=LENGTH,
            # the stubs allow a list of ids; this tokenizer has one of each
            bos_token_id=cast(int, tokenizer.bos_token_id),
            eos_token_id=cast(int, tokenizer.eos_token_id),
            pad_token_id=cast(int, tokenizer.pad_token_id),
        )
    )


def build_autoencoder(**changes: Any) -> AutoencoderKL:
    """The autoencoder with random weights; `changes` overrides fields of the config."""
    return AutoencoderKL(**(AUTOENCODER | changes))


def build_scheduler() -> DDIMScheduler:
    """The noise schedule that the denoiser is trained on (v-prediction), as a DDIM scheduler."""
    return DDIMScheduler(**SCHEDULER)


def is_world(denoiser: Any) -> bool:
    """Whether a denoiser has the architecture of an embedded U-Net, so that settings tuned for them apply."""
    config = getattr(denoiser, "config", {})
    same = ("in_channels", "block_out_channels", "cross_attention_dim", "layers_per_block")
    return any(
        all(_plain(getattr(config, field, None)) == _plain(unet[field]) for field in same)
        for unet in (UNET, CROWDED_UNET)
    )


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
