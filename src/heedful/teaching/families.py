"""The families of denoisers that can be taught, one row each; what else differs is read in `heedful.attention`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from heedful.attention import ImagePipeline, TeachablePipeline, find_denoiser, layout_of, uncompiled
from heedful.errors import UnsupportedPipeline
from heedful.shapes import Latents
from heedful.teaching.dataset import Size
from heedful.teaching.noise import Kind, Times

Arguments = dict[str, Any]
_DISTILLED_SCALE = 3.5
"""The guidance scale that a distilled FLUX.1 is told while it learns, as in diffusers' training script."""


@dataclass(frozen=True)
class Family:
    """How one family of denoisers is taught."""

    denoisers: tuple[str, ...]
    """Names of diffusers' classes."""
    encode: Callable[[Any, Sequence[str], Size], Arguments]
    """(pipeline, captions, height and width in pixels) -> the denoiser's arguments that say what an image shows."""
    noise: Kind = "diffusion"
    patch: int = 1
    """Cells of the latents along a side that the denoiser takes as one."""
    is_packed: bool = False
    """Whether the pipeline cuts latents into patches before the denoiser gets them."""
    has_start: bool = True
    """Whether the first token of a text is a start token, which holds what no word explains."""
    only_lora: bool = False
    """Whether the denoiser is so large, or its files so different, that it learns as LoRA alone, or not at all."""

    def arguments(self, denoiser: Any, noisy: Latents, times: Times, text: Arguments) -> Arguments:
        """Return the arguments of one call of the denoiser: noisy latents, their timesteps, and what they show."""
        layout = layout_of(denoiser)
        first, factor = layout.times
        told = times if (first, factor) == (0.0, 1.0) else (times - first) / factor
        given = noisy.to(denoiser.dtype)
        if times.is_floating_point():
            told = told.to(denoiser.dtype)
        return text | {layout.latents: self.packed(given) if self.is_packed else given, layout.time: told}

    def prediction(self, output: Tensor, like: Latents) -> Latents:
        """Return what the denoiser predicts as a grid of the shape of `like`."""
        return self.unpacked(output, like) if self.is_packed else output

    def packed(self, latents: Latents) -> Tensor:
        """Return (batch, cell, channel), the patches of a grid row by row; each has its pixels for each channel."""
        side = self.patch
        # (batch, channel, row, y, column, x) -> (batch, row, column, channel, y, x)
        parts = latents.unflatten(3, (-1, side)).unflatten(2, (-1, side)).permute(0, 2, 4, 1, 3, 5)
        return parts.flatten(3).flatten(1, 2)

    def unpacked(self, cells: Tensor, like: Latents) -> Latents:
        """Return the grid of the shape of `like` that `packed` makes these cells of."""
        side, (_, channels, height, width) = self.patch, like.shape
        parts = cells.unflatten(2, (channels, side, side)).unflatten(1, (height // side, width // side))
        # (batch, row, column, channel, y, x) -> (batch, channel, row, y, column, x)
        return parts.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)


def _stable_diffusion(pipe: Any, captions: Sequence[str], resolution: Size) -> Arguments:
    """For SDXL also the size, as that of an image of `resolution` that was not cropped."""
    encoded = pipe.encode_prompt(
        prompt=list(captions), device=pipe._execution_device, num_images_per_prompt=1,
        do_classifier_free_guidance=False,
    )  # fmt: skip
    arguments: Arguments = {"encoder_hidden_states": encoded[0]}
    if getattr(pipe, "text_encoder_2", None) is not None:
        pooled = encoded[2]
        times = pipe._get_add_time_ids(
            resolution, (0, 0), resolution, dtype=pooled.dtype,
            text_encoder_projection_dim=pipe.text_encoder_2.config.projection_dim,
        )  # fmt: skip
        times = times.to(pooled.device).repeat(len(captions), 1)
        arguments["added_cond_kwargs"] = {"text_embeds": pooled, "time_ids": times}
    return arguments


def _stable_diffusion_3(pipe: Any, captions: Sequence[str], resolution: Size) -> Arguments:
    encoded, _, pooled, _ = pipe.encode_prompt(
        list(captions), None, None, device=pipe._execution_device, do_classifier_free_guidance=False
    )
    return {"encoder_hidden_states": encoded, "pooled_projections": pooled}


def _flux(pipe: Any, captions: Sequence[str], resolution: Size) -> Arguments:
    """With where each cell of the image is, and the guidance scale if the model is distilled."""
    encoded, pooled, text_ids = pipe.encode_prompt(list(captions), device=pipe._execution_device)
    height, width = (side // (2 * pipe.vae_scale_factor) for side in resolution)
    ids = torch.zeros(height, width, 3)
    ids[..., 1], ids[..., 2] = torch.arange(height)[:, None], torch.arange(width)
    arguments: Arguments = {
        "encoder_hidden_states": encoded,
        "pooled_projections": pooled,
        "txt_ids": text_ids,
        "img_ids": ids.flatten(0, 1).to(text_ids),
    }
    if pipe.transformer.config.guidance_embeds:
        arguments["guidance"] = torch.full((len(captions),), _DISTILLED_SCALE).to(encoded)
    return arguments


FAMILIES = (
    Family(denoisers=("UNet2DConditionModel",), encode=_stable_diffusion),
    Family(
        denoisers=("SD3Transformer2DModel",), encode=_stable_diffusion_3, noise="flow", patch=2, only_lora=True
    ),
    Family(
        denoisers=("FluxTransformer2DModel",), encode=_flux, noise="flow", patch=2, is_packed=True, has_start=False,
        only_lora=True,
    ),
)  # fmt: skip


def find_family(denoiser: nn.Module | None) -> Family | None:
    """Return how a denoiser is taught, or None if it cannot be."""
    if denoiser is None:
        return None
    name = type(uncompiled(denoiser)).__name__
    return next((family for family in FAMILIES if name in family.denoisers), None)


def family_of(denoiser: nn.Module) -> Family:
    """Return how a denoiser is taught; raises `UnsupportedPipeline`."""
    family = find_family(denoiser)
    if family is None:
        raise UnsupportedPipeline(
            f"Expected a denoiser that can be taught ({_known()}), got {type(denoiser).__name__}. "
            "Others can be guided alone."
        )
    return family


def as_teachable(pipe: ImagePipeline) -> TeachablePipeline:
    """Return the pipeline if it can be taught; raises `UnsupportedPipeline`."""
    denoiser: Any = find_denoiser(pipe)
    family = find_family(denoiser)
    if family is None or not isinstance(pipe, TeachablePipeline):
        raise UnsupportedPipeline(
            f"Expected a pipeline of a denoiser that can be taught ({_known()}), got {type(pipe).__name__}. "
            "Others can be guided alone."
        )
    channels = getattr(pipe.vae.config, "latent_channels", None)
    taken = denoiser.config["in_channels"] // (family.patch**2 if family.is_packed else 1)
    if taken != channels:
        raise UnsupportedPipeline(
            f"Expected a denoiser that takes the {channels} channels of the latents alone, got one that takes "
            f"{taken} (inpainting and the like). Teach the text-to-image model it came from."
        )
    return pipe


def _known() -> str:
    return "Stable Diffusion 1, 2, XL and 3, FLUX.1"
