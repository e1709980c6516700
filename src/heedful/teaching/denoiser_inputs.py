"""Captions and images as the denoiser of Stable Diffusion 1, 2 and SDXL takes them, with gradients where wanted."""

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from jaxtyping import Float
from torch import Tensor

from heedful.attention import ImagePipeline, TeachablePipeline, find_denoiser, full_precision
from heedful.errors import UnsupportedPipeline
from heedful.shapes import Latents


def as_teachable(pipe: ImagePipeline) -> TeachablePipeline:
    """Return the pipeline if it can be taught; raises `UnsupportedPipeline`."""
    denoiser = find_denoiser(pipe)
    if not (isinstance(denoiser, UNet2DConditionModel) and isinstance(pipe, TeachablePipeline)):
        raise UnsupportedPipeline(
            f"Expected a pipeline with a U-Net (Stable Diffusion 1, 2 or SDXL) to teach, got {type(pipe).__name__}. "
            "Transformers can be guided, but not taught yet."
        )
    channels = getattr(pipe.vae.config, "latent_channels", None)
    if denoiser.config["in_channels"] != channels:
        raise UnsupportedPipeline(
            f"Expected a denoiser that takes the {channels} channels of the latents alone, got one that takes "
            f"{denoiser.config['in_channels']} (inpainting and the like). Teach the text-to-image model it came from."
        )
    return pipe


def encode_captions(pipe: TeachablePipeline, captions: Sequence[str], resolution: tuple[int, int]) -> dict[str, Any]:
    """Return the denoiser's arguments that say what an image shows, one row for each caption.

    For SDXL also its size, as an image of `resolution` (height, width) that was not cropped.
    """
    inner: Any = pipe  # what follows is no promise of diffusers
    device = inner._execution_device
    encoded = pipe.encode_prompt(
        prompt=list(captions), device=device, num_images_per_prompt=1, do_classifier_free_guidance=False
    )
    arguments: dict[str, Any] = {"encoder_hidden_states": encoded[0]}
    if getattr(pipe, "text_encoder_2", None) is not None:
        pooled = encoded[2]
        times = inner._get_add_time_ids(
            resolution, (0, 0), resolution, dtype=pooled.dtype,
            text_encoder_projection_dim=inner.text_encoder_2.config.projection_dim,
        )  # fmt: skip
        times = times.to(pooled.device).repeat(len(captions), 1)
        arguments["added_cond_kwargs"] = {"text_embeds": pooled, "time_ids": times}
    return arguments


@torch.no_grad()
def encode_images(
    pipe: TeachablePipeline, pixels: Float[Tensor, "batch 3 pixel_height pixel_width"], generator: torch.Generator
) -> Latents:
    """Return latents of images in [-1, 1], drawn from the autoencoder's distribution, in float32."""
    vae = pipe.vae
    with full_precision(vae.device.type):
        distribution = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist
    noise = torch.randn(distribution.mean.shape, generator=generator).to(vae.device)
    latents = distribution.mean.float() + distribution.std.float() * noise
    shift = getattr(vae.config, "shift_factor", None) or 0.0
    return (latents - shift) * vae.config.scaling_factor
