"""The shapes of the joint-attention model's parts: a small Stable Diffusion 3 with the world's latents and words.

Latents are those of the embedded model, 8 channels on a 16x16 grid, cut into 8x8 tokens. Every block lets image and
text attend to each other. There is no T5: the pipeline puts 16 empty tokens where its states would be.
"""

from typing import Any, cast

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

from heedful.world.architecture import LATENT_CHANNELS
from heedful.world.tokenizer import LENGTH

ENCODER_WIDTH = 64
JOINT_WIDTH = 2 * ENCODER_WIDTH

TRANSFORMER: dict[str, Any] = {
    "sample_size": 16,
    "patch_size": 2,
    "in_channels": LATENT_CHANNELS,
    "out_channels": LATENT_CHANNELS,
    "num_layers": 6,
    "attention_head_dim": 24,
    "num_attention_heads": 6,
    "joint_attention_dim": JOINT_WIDTH,
    "caption_projection_dim": 144,
    "pooled_projection_dim": JOINT_WIDTH,
    "pos_embed_max_size": 8,
    "qk_norm": "rms_norm",
}


class JointPipeline(StableDiffusion3Pipeline):
    """Stable Diffusion 3's pipeline without the 256 empty tokens that it puts where T5's states would be.

    The model was trained without them. The ordinary pipeline leaves them out when it is told `max_sequence_length=0`.
    """

    def _get_t5_prompt_embeds(
        self,
        prompt: str | list[str] = "",
        num_images_per_prompt: int = 1,
        max_sequence_length: int = 0,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """No token: -> (batch, 0, width)."""
        batch = (1 if isinstance(prompt, str) else len(prompt)) * num_images_per_prompt
        width = self.transformer.config.joint_attention_dim
        return torch.zeros(
            batch, 0, width, device=device or self._execution_device, dtype=dtype or self.text_encoder.dtype
        )


def build_transformer(**changes: Any) -> SD3Transformer2DModel:
    """The denoiser with random weights and closed gates: each block starts as the identity (Peebles & Xie 2023, arXiv
    2212.09748, adaLN-Zero). `changes` overrides fields of the config.
    """
    transformer = SD3Transformer2DModel(**(TRANSFORMER | changes))
    for name, module in transformer.named_modules():
        if isinstance(module, nn.Linear) and (
            name.endswith(("norm1.linear", "norm1_context.linear", "norm_out.linear"))
        ):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    nn.init.zeros_(transformer.proj_out.weight)
    nn.init.zeros_(transformer.proj_out.bias)
    return transformer


def is_joint_world(denoiser: Any) -> bool:
    """Whether a denoiser has the architecture of the embedded model with joint attention."""
    config = getattr(denoiser, "config", {})
    same = ("in_channels", "num_layers", "attention_head_dim", "num_attention_heads", "joint_attention_dim")
    return all(getattr(config, field, None) == TRANSFORMER[field] for field in same)


def build_joint_text_encoder(tokenizer: CLIPTokenizer, width: int = ENCODER_WIDTH) -> CLIPTextModelWithProjection:
    """One of the two text encoders with random weights; the pipeline reads the states before its last layer."""
    return CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=4 * width,
            projection_dim=width,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=LENGTH,
            # the stubs allow a list of ids; this tokenizer has one of each
            bos_token_id=cast(int, tokenizer.bos_token_id),
            eos_token_id=cast(int, tokenizer.eos_token_id),
            pad_token_id=cast(int, tokenizer.pad_token_id),
        )
    )


def build_flow_scheduler() -> FlowMatchEulerDiscreteScheduler:
    """Straight paths from noise to latents, in equal steps of the noise level."""
    return FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=1.0)


def encode_captions(tokenizer: CLIPTokenizer, encoders: nn.ModuleList, captions: list[str]) -> tuple[Tensor, Tensor]:
    """What `JointPipeline.encode_prompt` makes of captions: states (batch, 16, 128) and pooled states (batch, 128)."""
    tokens = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
    device = next(encoders.parameters()).device
    outputs = [encoder(tokens.to(device), output_hidden_states=True) for encoder in encoders]
    states = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1)
    return states, torch.cat([output.text_embeds for output in outputs], dim=-1)
