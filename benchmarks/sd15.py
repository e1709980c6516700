"""Stable Diffusion 1.5 at its full size with random weights: for measuring cost, where nobody looks at the images."""

from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from heedful.world.tokenizer import build_tokenizer

SD15: dict[str, Any] = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
"""What the denoiser's configuration has that is no default of diffusers."""
_TEXT: dict[str, Any] = {"num_hidden_layers": 12, "intermediate_size": 3072}
_AUTOENCODER: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "norm_num_groups": 32,
}


def sd15_pipeline(*, whole: bool = False) -> Any:
    """Return a pipeline; unless `whole`, text encoder and autoencoder are small: where only the denoiser matters."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    tokenizer.model_max_length = 77
    text = CLIPTextConfig(
        vocab_size=49408 if whole else len(tokenizer),
        hidden_size=768,
        num_attention_heads=12,
        max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **(_TEXT if whole else {"num_hidden_layers": 1}),
    )
    shape: dict[str, Any] = {
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        **(_AUTOENCODER if whole else {"block_out_channels": (8,) * 4, "norm_num_groups": 4}),
    }
    vae = AutoencoderKL(latent_channels=4, sample_size=512, **shape)
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False,
        steps_offset=1,
    )  # fmt: skip
    return StableDiffusionPipeline(
        vae=vae, text_encoder=CLIPTextModel(text), tokenizer=tokenizer, unet=UNet2DConditionModel(**SD15).eval(),
        scheduler=scheduler, safety_checker=None, feature_extractor=None, requires_safety_checker=False,  # pyright: ignore
    )  # fmt: skip
