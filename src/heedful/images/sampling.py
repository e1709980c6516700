"""How images are sampled, before the first is: numbers that suit the model, and methods that can work on it.

Knows models and methods. Knows nothing of cases or files.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from heedful.attention import find_denoiser
from heedful.errors import SettingsError
from heedful.guidance import Method, denoiser_of, guide
from heedful.images.inpainting import Inpainting
from heedful.models import Model
from heedful.prompts import Prompt

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a pipeline is called."""

    steps: int
    guidance_scale: float
    width: int | None
    """Pixels; None for the pipeline's own."""
    height: int | None
    """Pixels; None for the pipeline's own."""
    inpainting: Inpainting | None = None
    """The picture that is painted into; None for images of their own."""

    @property
    def steps_made(self) -> int:
        """How many of the steps are made: a run of strength below 1 begins after the first."""
        return self.steps if self.inpainting is None else max(1, int(self.steps * self.inpainting.strength))


def choose_sampling(
    model: Model,
    *,
    steps: int | None = None,
    guidance_scale: float | None = None,
    width: int | None = None,
    height: int | None = None,
    inpainting: Inpainting | None = None,
) -> Sampling:
    """Return what was given, and what suits the model for the rest; raises `SettingsError` for what is impossible."""
    if inpainting is not None and width is None and height is None:
        width, height = inpainting.size_on(model.pipe)
    width, height = _size(model.pipe, width, height)
    return Sampling(
        steps=at_least(1, steps, model.steps, "steps"),
        guidance_scale=at_least(0, guidance_scale, model.guidance_scale, "a guidance scale"),
        width=width,
        height=height,
        inpainting=inpainting,
    )


def at_least(least: int, given: Number | None, usual: Number, of: str) -> Number:
    """Return what was given, or what is usual; raises `SettingsError` if it is too small."""
    value = usual if given is None else given
    if not value >= least:  # not-a-number is too small as well
        raise SettingsError(f"Expected {of} of {least} or more, got {value}.")
    return value


def settings_of(model: Model, sampling: Sampling, method: Method) -> dict[str, Any]:
    """Return what decides the images of a method beside prompt, concepts and seed, as plain JSON values."""
    return {
        "method": method.name,
        "steps": sampling.steps,
        "guidance_scale": sampling.guidance_scale,
        "width": sampling.width,
        "height": sampling.height,
        "scheduler": type(model.pipe.scheduler).__name__,
        "dtype": model.dtype,
        "weights": model.weights,
        "method_settings": describe(model, method),
        **model.on_top,
        **(sampling.inpainting.settings() if sampling.inpainting is not None else {}),
    }


def describe(model: Model, method: Method) -> str:
    """Return everything that a method does on this model, in the words of its objects."""
    return f"{method.loss!r}, {method.direction}, {method.settings_for(denoiser_of(model.pipe))!r}"


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


def _size(pipe: Any, width: int | None, height: int | None) -> tuple[int | None, int | None]:
    """Return width and height in pixels, or None where the pipeline's own size is unknown; raises `SettingsError`."""
    cell = getattr(pipe, "vae_scale_factor", 8)
    for name, pixels in (("width", width), ("height", height)):
        if pixels is not None and (pixels < cell or pixels % cell):
            nearest = max(cell, round(pixels / cell) * cell)
            raise SettingsError(
                f"Expected a {name} that is a multiple of {cell} pixels, got {pixels}. The nearest is {nearest}."
            )
    denoiser = find_denoiser(pipe)
    sample = getattr(getattr(denoiser, "config", None), "sample_size", None)
    usual = sample * cell if isinstance(sample, int) else None
    return width or usual, height or usual
