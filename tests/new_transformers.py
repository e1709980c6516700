"""Tiny pipelines with random transformers of newer families, built from configs without a download.

8x12 latents at 16x24 pixels, patches of 2: maps of 4x6. Text is sharpened as in `tests.transformer_pipelines`.
"""

from typing import Any

import diffusers
import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Pipeline,
    Flux2Transformer2DModel,
)
from transformers import ByT5Tokenizer

from tests import language_models as models
from tests.language_models import pixtral_processor, tiny_mistral3, tiny_qwen3, tiny_t5
from tests.pipelines import shifted_vae, tiny_vae
from tests.tokenizers import build_qwen, build_t5
from tests.transformer_pipelines import sharpened


def flux2_vae() -> AutoencoderKLFlux2:
    return tiny_vae(kind=AutoencoderKLFlux2, use_post_quant_conv=False, use_quant_conv=False)


def flux2_transformer(guidance_embeds: bool) -> Flux2Transformer2DModel:
    """One two-stream and two one-stream blocks; text is deep layers of the language model, side by side."""
    torch.manual_seed(0)
    return sharpened(
        Flux2Transformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=48,
            timestep_guidance_channels=8,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=guidance_embeds,
        )
    )


def tiny_klein() -> Flux2KleinPipeline:
    tokenizer = build_qwen()
    return Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=flux2_vae(),
        text_encoder=tiny_qwen3(len(tokenizer)),
        tokenizer=tokenizer,
        transformer=flux2_transformer(guidance_embeds=False),
    )


def tiny_flux2() -> Flux2Pipeline:
    processor = pixtral_processor()
    return Flux2Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=flux2_vae(),
        text_encoder=tiny_mistral3(len(processor.tokenizer)),
        tokenizer=processor,
        transformer=flux2_transformer(guidance_embeds=True),
    )


def qwen_vae() -> diffusers.AutoencoderKLQwenImage:
    torch.manual_seed(0)
    return diffusers.AutoencoderKLQwenImage(
        base_dim=4,
        z_dim=4,
        dim_mult=[1, 1],
        num_res_blocks=1,
        temperal_downsample=[False],
        latents_mean=[0.1] * 4,
        latents_std=[1.1] * 4,
    ).eval()


def with_prefix(pipe: Any) -> Any:
    """Drop the beginning of the template as the pipeline means it: this tokenizer makes other tokens of it."""
    before, _ = pipe.prompt_template_encode.split("{}")
    pipe.prompt_template_encode_start_idx = len(pipe.tokenizer(before.partition("<|vision_start|>")[0]).input_ids)
    return pipe


def tiny_qwen_image(kind: Any = diffusers.QwenImagePipeline, **parts: Any) -> Any:
    torch.manual_seed(0)
    transformer = diffusers.QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        axes_dims_rope=(4, 6, 6),
    )
    tokenizer = build_qwen()
    image_token: Any = tokenizer.convert_tokens_to_ids("<|image_pad|>")
    pipe = kind(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=qwen_vae(),
        text_encoder=models.tiny_qwen_vl(len(tokenizer), image_token),
        tokenizer=tokenizer,
        transformer=sharpened(transformer),
        **parts,
    )
    return with_prefix(pipe)


def tiny_chroma() -> diffusers.ChromaPipeline:
    torch.manual_seed(0)
    transformer = diffusers.ChromaTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        axes_dims_rope=(4, 6, 6),
        approximator_num_channels=8,
        approximator_hidden_dim=16,
        approximator_layers=1,
    )
    tokenizer = build_t5()
    return diffusers.ChromaPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=shifted_vae(),
        text_encoder=tiny_t5(len(tokenizer)),
        tokenizer=tokenizer,  # pyright: ignore[reportArgumentType]
        transformer=sharpened(transformer),
    )


def tiny_ovis_image() -> diffusers.OvisImagePipeline:
    torch.manual_seed(0)
    transformer = diffusers.OvisImageTransformer2DModel(
        in_channels=16,
        out_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        axes_dims_rope=(4, 6, 6),
    )
    tokenizer = build_qwen()
    return diffusers.OvisImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=shifted_vae(),
        text_encoder=models.tiny_qwen3_model(len(tokenizer)),
        tokenizer=tokenizer,
        transformer=sharpened(transformer),
    )


def tiny_longcat_image() -> diffusers.LongCatImagePipeline:
    torch.manual_seed(0)
    transformer = diffusers.LongCatImageTransformer2DModel(
        in_channels=64,  # its pipeline makes latents of 16 channels, whatever the autoencoder has
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        pooled_projection_dim=16,
        axes_dims_rope=[4, 6, 6],
    )
    tokenizer = build_qwen()
    pipe = diffusers.LongCatImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=shifted_vae(),
        text_encoder=models.tiny_qwen_vl(len(tokenizer), 0),
        tokenizer=tokenizer,
        text_processor=models.qwen_processor(tokenizer),
        transformer=sharpened(transformer),
    )
    pipe.tokenizer_max_length = 32
    return pipe


def tiny_aura_flow() -> diffusers.AuraFlowPipeline:
    torch.manual_seed(0)
    transformer = diffusers.AuraFlowTransformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=4,
        num_mmdit_layers=1,
        num_single_dit_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=16,
        caption_projection_dim=16,
        pos_embed_max_size=64,
    )
    tokenizer = build_t5()
    return diffusers.AuraFlowPipeline(
        tokenizer=tokenizer,  # pyright: ignore[reportArgumentType]
        text_encoder=models.tiny_umt5(len(tokenizer)),
        vae=shifted_vae(),
        transformer=sharpened(transformer),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )


def tiny_bria() -> diffusers.BriaPipeline:
    torch.manual_seed(0)
    transformer = diffusers.BriaTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        axes_dims_rope=[4, 6, 6],
    )
    tokenizer = build_t5()
    return diffusers.BriaPipeline(
        transformer=sharpened(transformer),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=shifted_vae(),
        text_encoder=tiny_t5(len(tokenizer)),
        tokenizer=tokenizer,  # pyright: ignore[reportArgumentType]
    )


def tiny_hunyuan_image() -> diffusers.HunyuanImagePipeline:
    torch.manual_seed(0)
    vae = diffusers.AutoencoderKLHunyuanImage(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        block_out_channels=(32, 32, 32),
        layers_per_block=1,
        spatial_compression_ratio=4,
        sample_size=16,
        scaling_factor=0.5,
    ).eval()
    transformer = diffusers.HunyuanImageTransformer2DModel(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=8,
        num_layers=1,
        num_single_layers=2,
        num_refiner_layers=1,
        text_embed_dim=16,
        text_embed_2_dim=16,
        rope_axes_dim=(4, 4),
    )
    tokenizer, second = build_qwen(), ByT5Tokenizer()
    guider = diffusers.AdaptiveProjectedMixGuidance(enabled=True)
    pipe = diffusers.HunyuanImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        text_encoder=models.tiny_qwen_vl(len(tokenizer), 0),
        tokenizer=tokenizer,
        text_encoder_2=tiny_t5(len(second)),
        tokenizer_2=second,
        transformer=sharpened(transformer),
        guider=guider,
        ocr_guider=guider,
    )
    pipe.tokenizer_max_length, pipe.tokenizer_2_max_length = 32, 8
    return with_prefix(pipe)
