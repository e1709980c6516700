"""How images are sampled, before the first is: numbers that suit the model, and methods that can work on it."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, TypeVar

from heedful.attention import ImagePipeline, find_denoiser
from heedful.errors import SettingsError
from heedful.guidance import Method, denoiser_of, guide
from heedful.images.inpainting import Inpainting
from heedful.models import Model
from heedful.options import SamplingOptions
from heedful.prompts import Prompt

Number = TypeVar("Number", int, float)

_GRAIN = 8  # pixels of which diffusers wants a multiple, whatever the cell of the VAE


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a pipeline is called."""

    steps: int
    guidance_scale: float
    negative_prompt: str | None = None
    """What no image should show; None for the pipeline's own, which is empty."""
    width: int | None = None
    """Pixels; None for the pipeline's own."""
    height: int | None = None
    """Pixels; None for the pipeline's own."""
    batch_size: int = 1
    """How many images are made together."""
    inpainting: Inpainting | None = None
    """The image that is inpainted; None for images of their own."""
    bfloat16: bool = False
    """Whether the denoiser's products are computed in bfloat16, whatever the precision of its weights."""
    gradient_checkpointing: bool | None = None
    """As in `heedful.guide`; None for where it is needed."""

    @property
    def steps_made(self) -> int:
        """How many of the steps are made: a run of strength below 1 begins after the first."""
        return self.steps if self.inpainting is None else int(self.steps * self.inpainting.strength)


def choose_sampling(
    model: Model,
    options: SamplingOptions = SamplingOptions(),  # noqa: B008 - frozen
    inpainting: Inpainting | None = None,
) -> Sampling:
    """Return what was given, and what suits the model for the rest; raises `SettingsError` for what is impossible."""
    width, height = options.width, options.height
    if inpainting is not None and width is None and height is None:
        width, height = inpainting.size_on(model.pipe)
    width, height = _size(model.pipe, width, height)
    sampling = Sampling(
        steps=at_least(1, options.steps, model.steps, "steps"),
        guidance_scale=at_least(0.0, options.guidance_scale, model.guidance_scale, "a guidance scale"),
        width=width,
        height=height,
        batch_size=at_least(1, options.batch_size, model.batch_size, "a batch size"),
        inpainting=inpainting,
        negative_prompt=options.negative_prompt,
        gradient_checkpointing=options.gradient_checkpointing or None,
    )
    if sampling.negative_prompt is not None:
        _check_negative(model.pipe, sampling.guidance_scale)
    most = getattr(getattr(model.pipe.scheduler, "config", None), "num_train_timesteps", None)
    if isinstance(most, int) and sampling.steps > most:
        raise SettingsError(f"Expected at most {most} steps, which this model was trained with, got {sampling.steps}.")
    if sampling.steps_made < 1:
        assert inpainting is not None
        raise SettingsError(
            f"Expected a strength that leaves a step to make, got {inpainting.strength:g} of {sampling.steps} steps. "
            f"Take a strength of {1 / sampling.steps:g} or more, or more steps."
        )
    return sampling


def at_least(least: Number, given: Number | None, usual: Number, of: str) -> Number:
    """Return what was given, or what is usual; raises `SettingsError` if it is too small, or not finite."""
    value = usual if given is None else given
    if not (value >= least and math.isfinite(value)):
        raise SettingsError(f"Expected {of} of {least:g} or more, got {value}.")
    return value


def settings_of(model: Model, sampling: Sampling, method: Method) -> dict[str, Any]:
    """Return what decides the images of a method next to prompt, concepts and seed, as plain JSON values."""
    return {
        "method": method.name,
        "steps": sampling.steps,
        "guidance_scale": sampling.guidance_scale,
        "width": sampling.width,
        "height": sampling.height,
        "scheduler": type(model.pipe.scheduler).__name__,
        "dtype": model.dtype,
        "weights": model.weights,
        "method_settings": method.identity(denoiser_of(model.pipe)),
        **({} if sampling.negative_prompt is None else {"negative_prompt": sampling.negative_prompt}),
        **model.on_top,
        **(sampling.inpainting.settings() if sampling.inpainting is not None else {}),
    }


def rehearse(model: Model, prompts: Sequence[Prompt], methods: Sequence[Method]) -> tuple[str, ...]:
    """Enter each method without running it, and return its warnings, each once.

    Entering checks prompts and scheduler, so no method fails after another has written its images. Raises what
    `heedful.guide` raises.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        for method in methods:
            with guide(model.pipe, prompts, method):
                pass
    return tuple(dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, UserWarning)))


def _check_negative(pipe: ImagePipeline, guidance_scale: float) -> None:
    """Raise `SettingsError` if a negative prompt would change nothing."""
    parameters = signature(pipe.__call__).parameters
    if "negative_prompt" not in parameters:
        raise SettingsError(
            f"Expected a pipeline that takes a negative prompt, got {type(pipe).__name__}. Leave it out: this model "
            "has no classifier-free guidance for it to act in."
        )
    true_scale = parameters.get("true_cfg_scale")
    scale = guidance_scale if true_scale is None else true_scale.default
    if not scale > 1:
        what = "a guidance scale" if true_scale is None else "a pipeline whose true_cfg_scale is"
        raise SettingsError(
            f"Expected {what} above 1 for a negative prompt, got {scale:g}: without classifier-free guidance it "
            "changes nothing. Raise the scale, or leave the negative prompt out."
        )


def _size(pipe: ImagePipeline, width: int | None, height: int | None) -> tuple[int | None, int | None]:
    """Return width and height in pixels, or None where the pipeline's own size is unknown; raises `SettingsError`."""
    cell = getattr(pipe, "vae_scale_factor", 8)
    grain = size_grain(pipe)
    for name, pixels in (("width", width), ("height", height)):
        if pixels is not None and (pixels < grain or pixels % grain):
            nearest = max(grain, round(pixels / grain) * grain)
            raise SettingsError(
                f"Expected a {name} that is a multiple of {grain} pixels, got {pixels}. The nearest is {nearest}."
            )
    denoiser = find_denoiser(pipe)
    sample = getattr(getattr(denoiser, "config", None), "sample_size", None)
    usual = sample * cell if isinstance(sample, int) else None
    return width or usual, height or usual


def size_grain(pipe: ImagePipeline) -> int:
    """Return of how many pixels diffusers wants a side to be a multiple: transformers read patches of cells."""
    is_transformer = getattr(pipe, "transformer", None) is not None
    return math.lcm(_GRAIN, getattr(pipe, "vae_scale_factor", 8) * (2 if is_transformer else 1))
