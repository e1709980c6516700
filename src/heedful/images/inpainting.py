"""Inpainting: what a mask covers is generated anew, the rest is kept as diffusers keeps it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

from diffusers import AutoPipelineForInpainting
from diffusers.configuration_utils import FrozenDict
from PIL import Image

from heedful.attention import ImagePipeline, find_denoiser, held
from heedful.errors import SettingsError, UnsupportedPipeline
from heedful.guidance import Method
from heedful.image_files import read_image, read_mask
from heedful.models import Model, begin_offload, find_device
from heedful.options import InpaintingOptions
from heedful.teaching import digest

_GRAIN = 4
"""Cells of which a side is a multiple: denoisers halve it a few times."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Inpainting:
    """An image, and where it is generated anew."""

    image: Image.Image
    mask: Image.Image
    """As large as the image; white where it is generated anew."""
    strength: float = 1.0
    """How much of the covered part's beginning is noise, in (0, 1]; below 1 it keeps something of what was there."""

    @property
    def is_kept(self) -> bool:
        """Whether nothing of the image is generated anew."""
        return self.mask.getbbox() is None

    def arguments(self, images: int) -> dict[str, Any]:
        """Return what an inpainting pipeline is called with, for so many images."""
        return {"image": [self.image] * images, "mask_image": [self.mask] * images, "strength": self.strength}

    def settings(self) -> dict[str, Any]:
        """Return what decides the images, as plain JSON values."""
        return {"image": digest(self.image)[:12], "mask_image": digest(self.mask)[:12], "strength": self.strength}

    def size_on(self, pipe: ImagePipeline) -> tuple[int | None, int | None]:
        """Return width and height in pixels in the image's proportions, with as many pixels as the model's own."""
        cell = getattr(pipe, "vae_scale_factor", 8)
        own = getattr(getattr(find_denoiser(pipe), "config", None), "sample_size", None)
        if not isinstance(own, int):
            return None, None
        grain, shape = cell * _GRAIN, math.sqrt(self.image.width / self.image.height)
        width, height = (max(grain, round(own * cell * by / grain) * grain) for by in (shape, 1 / shape))
        return width, height


def read_inpainting(options: InpaintingOptions) -> Inpainting | None:
    """Return the image and mask that are named, or None for none; raises `SettingsError`."""
    image, mask, strength = options.image, options.mask_image, options.strength
    if image is None and mask is None and strength is None:
        return None
    if image is None or mask is None:
        raise SettingsError("Expected an image and a mask to inpaint it, got only one of them.")
    base, cover = read_image(image), read_mask(mask)
    if base.size != cover.size:
        raise SettingsError(
            f"Expected a mask of the image's size, {base.width}x{base.height}, got {cover.width}x{cover.height}."
        )
    if cover.getextrema()[1] < 128:  # pyright: ignore[reportOperatorIssue]
        raise SettingsError(f"Expected white in the mask {mask} where the image is generated anew, got none.")
    share = 1.0 if strength is None else strength
    if not 0 < share <= 1:
        raise SettingsError(f"Expected a strength above 0 and at most 1, got {share}.")
    return Inpainting(image=base, mask=cover, strength=share)


def keeping_all(image: Image.Image) -> Inpainting:
    """Return an image of which nothing is generated anew: every step sees it with that step's noise."""
    return Inpainting(image=image.convert("RGB"), mask=Image.new("L", image.size))


def for_inpainting(model: Model) -> Model:
    """Return the model with the inpainting class of its pipeline, of the same parts; raises `UnsupportedPipeline`."""
    if is_inpainting(model.pipe):
        return model
    pipe = inpainting_pipe(model.pipe)
    if model.options.offload in ("model", "sequential"):  # whose hooks know the pipeline; those of groups know parts
        begin_offload(pipe, model.options.offload, find_device(model.options.device))
    return replace(model, pipe=pipe)


def inpainting_pipe(pipe: ImagePipeline) -> Any:
    """Return the inpainting class of a pipeline, of the same parts; raises `UnsupportedPipeline`."""
    if is_inpainting(pipe):
        return pipe
    try:
        inpaints: Any = AutoPipelineForInpainting.from_pipe(pipe)
    except ValueError as reason:
        raise UnsupportedPipeline(
            f"Expected a pipeline that diffusers can inpaint images with, got {type(pipe).__name__}."
        ) from reason
    inpaints.set_progress_bar_config(disable=True)
    return inpaints


def is_inpainting(pipe: ImagePipeline) -> bool:
    """Return whether a pipeline is called with a mask."""
    return "mask_image" in signature(pipe.__call__).parameters


@contextmanager
def any_channels(pipe: ImagePipeline) -> Iterator[None]:
    """Let diffusers inpaint images with latents of any number of channels, while the block is open.

    Its inpainting classes ask whether the denoiser takes 4 channels where they mean: those of the latents alone. The
    embedded world's have 8.
    """
    denoiser: Any = find_denoiser(pipe)
    channels = pipe.vae.config.latent_channels
    if channels == 4 or denoiser.config["in_channels"] != channels or not is_inpainting(pipe):
        yield
        return
    with held(denoiser, "_internal_dict", FrozenDict({**denoiser.config, "in_channels": 4})):
        yield


def begun_late(method: Method) -> Method:
    """Return the method without what chooses initial noise: with strength below 1 images do not begin as noise."""
    plain = {"restart": None, "initial_noise": None}
    embedded = None if method.embedded is None else replace(method.embedded, **plain)
    return replace(method, settings=replace(method.settings, **plain), embedded=embedded)
