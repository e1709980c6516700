"""Tiny pipelines with random U-Nets, built from configs without a download, for tests of all floors.

Import as `from tests.pipelines import tiny_pipeline, WORDS`. The maps of random weights mean nothing; shapes, gradients
and bookkeeping are real. Two cross-attention levels (scale 1 and 2), a cross-attention middle (scale 2 or 4).
Pipelines with transformers: `tests.transformer_pipelines`.
"""

from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from heedful.world.tokenizer import build_tokenizer

SCHEDULER: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}

UNET: dict[str, Any] = {
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    "block_out_channels": (8, 16, 16),
    "layers_per_block": 1,
    "cross_attention_dim": 16,
    "attention_head_dim": 2,
    "norm_num_groups": 4,
}


def tiny_unet(seed: int = 0, **changes: Any) -> UNet2DConditionModel:
    """Three levels of widths 8, 16, 16; cross-attention at scale 1 and 2 and in the middle (scale 4)."""
    torch.manual_seed(seed)
    unet = UNet2DConditionModel(**(UNET | changes)).eval()
    _sharpen(unet)
    return unet


def _sharpen(unet: UNet2DConditionModel) -> None:
    """Make text matter: random cross-attention is nearly uniform, so that every loss would be nearly flat."""
    with torch.no_grad():
        for name, parameter in unet.named_parameters():
            if "attn2.to_q" in name or "attn2.to_k" in name:
                parameter.mul_(1.5)


def tiny_text_encoder(tokenizer: CLIPTokenizer, seed: int = 0, projected: bool = False, **changes: Any) -> Any:
    """Two layers of width 16."""
    torch.manual_seed(seed)
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        projection_dim=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **changes,
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config).eval()


def tiny_vae(levels: int = 2, kind: Any = AutoencoderKL, **changes: Any) -> Any:
    """Latents of 4 channels at half the image's side, or at a smaller share with more `levels`."""
    torch.manual_seed(0)
    config: dict[str, Any] = {
        "block_out_channels": (4,) * levels,
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "latent_channels": 4,
        "norm_num_groups": 2,
        "mid_block_add_attention": False,
        "sample_size": 16,
    }
    return kind(**config | changes).eval()


def shifted_vae(levels: int = 2) -> AutoencoderKL:
    """Its latents are shifted, as those of SD3, FLUX and others are."""
    return tiny_vae(levels, shift_factor=0.1)


def tiny_pipeline(dtype: torch.dtype = torch.float32, scheduler: Any = None, **unet: Any) -> StableDiffusionPipeline:
    """A StableDiffusionPipeline for 16x16 pixels (8x8 latents); the world's tokenizer, 16 positions long."""
    tokenizer = build_tokenizer()
    pipe = StableDiffusionPipeline(
        vae=tiny_vae(),
        text_encoder=tiny_text_encoder(tokenizer),
        tokenizer=tokenizer,
        unet=tiny_unet(**unet),
        scheduler=scheduler or DDIMScheduler(**SCHEDULER),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(dtype=dtype)


def tiny_sdxl_pipeline(dtype: torch.dtype = torch.float32, scheduler: Any = None) -> StableDiffusionXLPipeline:
    """A StableDiffusionXLPipeline for 16x16 pixels (8x8 latents), two text encoders of width 16 each."""
    tokenizer = build_tokenizer()
    pipe = StableDiffusionXLPipeline(
        vae=tiny_vae(),
        text_encoder=tiny_text_encoder(tokenizer),
        text_encoder_2=tiny_text_encoder(tokenizer, seed=1, projected=True),
        tokenizer=tokenizer,
        tokenizer_2=build_tokenizer(),
        unet=tiny_unet(
            cross_attention_dim=32,
            transformer_layers_per_block=(1, 2, 1),
            addition_embed_type="text_time",
            addition_time_embed_dim=4,
            projection_class_embeddings_input_dim=6 * 4 + 16,
        ),
        scheduler=scheduler or DDIMScheduler(**SCHEDULER),
        add_watermarker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(dtype=dtype)


def generator(seed: int = 0) -> torch.Generator:
    """A seeded generator on the CPU."""
    return torch.Generator().manual_seed(seed)


def latents_of(pipe: Any, prompt: str | list[str], **settings: Any) -> torch.Tensor:
    """The final latents of a short run."""
    defaults = {"num_inference_steps": 4, "output_type": "latent", "generator": generator()}
    return pipe(prompt, **(defaults | settings)).images
