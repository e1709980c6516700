"""Tiny pipelines with random transformers, built from configs without a download: PixArt-Sigma, SD3, FLUX.

8x8 latents at 16x16 pixels, patches of 2: maps of 4x4. Text is sharpened as in `tests.pipelines`.
"""

from typing import Any

import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)

from tests.language_models import tiny_t5
from tests.pipelines import shifted_vae, tiny_text_encoder, tiny_vae
from tests.tokenizers import build_clip, build_t5


def sharpened(transformer: Any, factor: float = 3.0) -> Any:
    """Make text matter: random attention is nearly uniform, so that every loss would be nearly flat."""
    with torch.no_grad():
        for name, parameter in transformer.named_parameters():
            if any(part in name for part in ("attn2.to_q", "attn2.to_k", "attn.to_q", "add_k_proj")):
                parameter.mul_(factor)
    return transformer.eval()


def tiny_pixart(scheduler: Any = None) -> PixArtSigmaPipeline:
    """Two blocks; predicts a variance beside the noise, as PixArt does."""
    torch.manual_seed(0)
    transformer = PixArtTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        out_channels=8,
        num_layers=2,
        norm_num_groups=1,
        cross_attention_dim=16,
        caption_channels=16,
        sample_size=8,
        patch_size=2,
        use_additional_conditions=False,
        attention_bias=True,
    )
    tokenizer = build_t5()
    pipe = PixArtSigmaPipeline(
        tokenizer=tokenizer,  # pyright: ignore[reportArgumentType]
        text_encoder=tiny_t5(len(tokenizer)),
        vae=tiny_vae(),
        transformer=sharpened(transformer),
        scheduler=scheduler or DPMSolverMultistepScheduler(),  # pyright: ignore[reportArgumentType]
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def tiny_sd3(scheduler: Any = None, t5: bool = True) -> StableDiffusion3Pipeline:
    """Two blocks, the second with attention of the image to itself beside, as in 3.5; CLIP twice and T5."""
    torch.manual_seed(0)
    transformer = SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=32,
        caption_projection_dim=16,
        pooled_projection_dim=32,
        out_channels=4,
        pos_embed_max_size=16,
        dual_attention_layers=(1,),
    )
    clip, long = build_clip(), build_t5()
    pipe = StableDiffusion3Pipeline(
        transformer=sharpened(transformer),
        scheduler=scheduler or FlowMatchEulerDiscreteScheduler(),
        vae=shifted_vae(),
        text_encoder=tiny_text_encoder(clip, projected=True),
        tokenizer=clip,
        text_encoder_2=tiny_text_encoder(clip, seed=1, projected=True),
        tokenizer_2=build_clip(),
        text_encoder_3=tiny_t5(len(long), width=32) if t5 else None,  # pyright: ignore[reportArgumentType]
        tokenizer_3=long if t5 else None,  # pyright: ignore[reportArgumentType]
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def tiny_flux(scheduler: Any = None, guidance_embeds: bool = True) -> FluxPipeline:
    """One two-stream and two one-stream blocks; latents of 4 channels packed by fours; CLIP for the pooled text, T5."""
    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        pooled_projection_dim=16,
        guidance_embeds=guidance_embeds,
        axes_dims_rope=(4, 6, 6),
    )
    clip, long = build_clip(), build_t5()
    pipe = FluxPipeline(
        scheduler=scheduler or FlowMatchEulerDiscreteScheduler(),
        vae=shifted_vae(),
        text_encoder=tiny_text_encoder(clip),
        tokenizer=clip,
        text_encoder_2=tiny_t5(len(long)),
        tokenizer_2=long,  # pyright: ignore[reportArgumentType]
        transformer=sharpened(transformer),
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe
