"""Tiny random pipelines of newer families whose text is looked at, or stands in one stream with the image.

As in `tests.new_transformers`: 8x12 latents, maps of 4x6.
"""

from typing import Any

import diffusers
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from tests import language_models as models
from tests.language_models import tiny_t5
from tests.pipelines import SCHEDULER, shifted_vae, tiny_unet
from tests.tokenizers import build_bert, build_chat_glm, build_gemma, build_glm, build_qwen, build_t5, kolors
from tests.transformer_pipelines import sharpened


def tiny_z_image(kind: Any = diffusers.ZImagePipeline, vae: Any = None) -> Any:
    torch.manual_seed(0)
    transformer = diffusers.ZImageTransformer2DModel(
        in_channels=4,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=16,
        axes_dims=[4, 6, 6],
        axes_lens=[128, 64, 64],
    )
    for token in (transformer.x_pad_token, transformer.cap_pad_token):
        torch.nn.init.normal_(token)  # made empty
    tokenizer = build_qwen()
    return kind(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae or shifted_vae(),
        text_encoder=models.tiny_qwen3_model(len(tokenizer)),
        tokenizer=tokenizer,
        transformer=sharpened(transformer),
    )


def tiny_sana(kind: Any = diffusers.SanaPipeline) -> Any:
    """Sana Sprint has another scheduler, and is told its guidance scale."""
    is_sprint = kind is not diffusers.SanaPipeline
    torch.manual_seed(0)
    vae = diffusers.AutoencoderDC(
        latent_channels=4,
        encoder_block_out_channels=(4,) * 6,
        decoder_block_out_channels=(4,) * 6,
        encoder_layers_per_block=(1,) * 6,
        decoder_layers_per_block=(1,) * 6,
        encoder_qkv_multiscales=((),) * 6,
        decoder_qkv_multiscales=((),) * 6,
    ).eval()
    transformer = diffusers.SanaTransformer2DModel(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=8,
        num_layers=2,
        num_cross_attention_heads=2,
        cross_attention_head_dim=8,
        cross_attention_dim=16,
        caption_channels=16,
        sample_size=4,
        guidance_embeds=is_sprint,
    )
    tokenizer = build_gemma()
    scheduler = diffusers.DPMSolverMultistepScheduler(
        use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=3.0
    )
    return kind(
        tokenizer=tokenizer,  # pyright: ignore[reportArgumentType]
        text_encoder=models.tiny_gemma2(len(tokenizer)),
        vae=vae,
        transformer=sharpened(transformer),
        scheduler=diffusers.SCMScheduler() if is_sprint else scheduler,
    )


def tiny_hunyuan_dit() -> diffusers.HunyuanDiTPipeline:
    torch.manual_seed(0)
    transformer = diffusers.HunyuanDiT2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        patch_size=2,
        sample_size=8,
        hidden_size=16,
        num_layers=2,
        mlp_ratio=2.0,
        cross_attention_dim=16,
        cross_attention_dim_t5=16,
        pooled_projection_dim=16,
        use_style_cond_and_image_meta_size=False,
    )
    first, second = build_bert(), build_t5()
    return diffusers.HunyuanDiTPipeline(
        vae=shifted_vae(4),
        text_encoder=models.tiny_bert(len(first)),
        tokenizer=first,
        transformer=sharpened(transformer),
        scheduler=diffusers.DDPMScheduler(prediction_type="v_prediction"),
        safety_checker=None,  # pyright: ignore[reportArgumentType]
        feature_extractor=None,  # pyright: ignore[reportArgumentType]
        requires_safety_checker=False,
        text_encoder_2=tiny_t5(len(second)),
        tokenizer_2=second,  # pyright: ignore[reportArgumentType]
    )


def tiny_cogview4() -> diffusers.CogView4Pipeline:
    torch.manual_seed(0)
    transformer = diffusers.CogView4Transformer2DModel(
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        text_embed_dim=16,
        time_embed_dim=8,
        condition_dim=4,
        sample_size=8,
        rope_axes_dim=(16, 16),
    )
    tokenizer = build_glm()
    return diffusers.CogView4Pipeline(
        tokenizer=tokenizer,  # pyright: ignore[reportArgumentType]
        text_encoder=models.tiny_glm(len(tokenizer)),
        vae=shifted_vae(3),
        transformer=sharpened(transformer),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )


def tiny_lumina2() -> diffusers.Lumina2Pipeline:
    torch.manual_seed(0)
    transformer = diffusers.Lumina2Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=4,
        hidden_size=16,
        num_layers=2,
        num_refiner_layers=1,
        num_attention_heads=2,
        num_kv_heads=1,
        multiple_of=8,
        axes_dim_rope=(4, 2, 2),
        axes_lens=(300, 64, 64),
        cap_feat_dim=16,
    )
    tokenizer = build_gemma(512)
    return diffusers.Lumina2Pipeline(
        transformer=sharpened(transformer),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=shifted_vae(),
        text_encoder=models.tiny_gemma2(len(tokenizer)),
        tokenizer=tokenizer,  # pyright: ignore[reportArgumentType]
    )


def tiny_prx() -> diffusers.PRXPipeline:
    torch.manual_seed(0)
    transformer = diffusers.PRXTransformer2DModel(
        in_channels=4,
        patch_size=2,
        context_in_dim=16,
        hidden_size=16,
        mlp_ratio=2.0,
        num_heads=2,
        depth=2,
        axes_dim=[4, 4],
    )
    tokenizer = build_gemma()
    return diffusers.PRXPipeline(
        transformer=sharpened(transformer),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        text_encoder=models.tiny_t5_gemma(len(tokenizer)),
        tokenizer=tokenizer,  # pyright: ignore[reportArgumentType]
        vae=shifted_vae(),
    )


def tiny_kolors() -> Any:
    tokenizer = build_chat_glm()
    unet = tiny_unet(
        cross_attention_dim=16,
        transformer_layers_per_block=(1, 2, 1),
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=6 * 4 + 16,
    )
    return kolors("pipeline_kolors").KolorsPipeline(
        vae=shifted_vae(),
        text_encoder=models.tiny_chat_glm(tokenizer.tokenizer.n_words),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=diffusers.EulerDiscreteScheduler.from_config(SCHEDULER),  # pyright: ignore[reportArgumentType]
    )


def wan_transformer(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    transformer = diffusers.WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=4,
        out_channels=4,
        text_dim=16,
        freq_dim=16,
        ffn_dim=32,
        num_layers=2,
        rope_max_seq_len=32,
    )
    return sharpened(transformer)


def tiny_wan(**changes: Any) -> diffusers.WanPipeline:
    """`changes` are those of Wan 2.2: a second transformer and where it begins, or a time for each cell."""
    torch.manual_seed(0)
    vae = diffusers.AutoencoderKLWan(
        base_dim=4,
        z_dim=4,
        dim_mult=[1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, False],
        latents_mean=[0.1] * 4,
        latents_std=[1.1] * 4,
        scale_factor_temporal=4,
        scale_factor_spatial=4,
    ).eval()
    tokenizer = build_t5()
    return diffusers.WanPipeline(
        tokenizer=tokenizer,  # pyright: ignore[reportArgumentType]
        text_encoder=models.tiny_umt5(len(tokenizer)),
        vae=vae,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        **({"transformer": wan_transformer()} | changes),
    )
