"""Captions and images as the denoiser of a pipeline takes them, with gradients where wanted."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.attention import TeachablePipeline, find_denoiser, full_precision
from heedful.shapes import Latents
from heedful.teaching.families import family_of


def encode_captions(pipe: TeachablePipeline, captions: Sequence[str], resolution: tuple[int, int]) -> dict[str, Any]:
    """Return the denoiser's arguments that say what images of `resolution` (height, width) show, a row per caption."""
    denoiser: Any = find_denoiser(pipe)
    return family_of(denoiser).encode(pipe, captions, resolution)


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
