"""How an embedded model is made, as data: stages, sizes, seeds, learning rates."""

from dataclasses import dataclass
from typing import Literal

from heedful.world.style import APART, Style
from heedful.world.training.captions import TRUE_CAPTIONS, CaptionNoise


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Some steps of denoiser training on one kind of scene.

    `canvas` is the side of the image in pixels, `mix` gives the share of scenes with 1, 2 and 3 objects, `sizes`
    bounds the longer side of an object in pixels (None: as `random_scene` chooses for the number of objects).
    """

    name: str
    steps: int
    batch: int
    canvas: int
    mix: tuple[float, float, float]
    sizes: tuple[int, int] | None = None
    half_weight_snr: float = 0.25
    """The signal-to-noise ratio at which a sample weighs half as much as a cleaner one."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides the weights, except the machine's arithmetic.

    Learning rates rise over `warmup` steps, stay, and fall linearly to zero over the last `decay` share of a phase.
    `bfloat16` computes the denoiser's products in bfloat16, with weights and sums in float32: 1.6 times as fast on a
    CPU that has such instructions, half as fast on one that has not.
    """

    name: str = "sprites"
    denoiser: Literal["unet", "joint"] = "unet"
    """A U-Net with cross-attention, or a transformer with joint attention."""
    start: str | None = None
    """The world whose parts this one starts from; a part that is trained for no step is taken from there as it is."""
    style: Style = APART
    captions: CaptionNoise = TRUE_CAPTIONS
    text_encoder_steps: int = 0
    """Steps of its own contrastive training, after which the text encoder is frozen; 0: it learns with the denoiser."""
    text_encoder_batch: int = 128
    seed: int = 2026
    stages: tuple[Stage, ...]
    learning_rate: float = 8e-4
    warmup: int = 150
    decay: float = 0.4
    ema: float = 0.999
    bfloat16: bool = True
    caption_dropout: float = 0.1
    projection_images: int = 2000
    autoencoder_steps: int
    autoencoder_batch: int = 8
    detector_steps: int
    detector_batch: int = 32
    clip_steps: int
    clip_batch: int = 96
    denoiser_config: tuple[tuple[str, object], ...] = ()
    autoencoder: tuple[tuple[str, object], ...] = ()
    clip: tuple[tuple[str, object], ...] = ()


def stage_at(stages: tuple[Stage, ...], step: int) -> Stage:
    """The stage that a step of the denoiser's training belongs to."""
    for stage in stages:
        if step < stage.steps:
            return stage
        step -= stage.steps
    raise AssertionError("a step beyond the last stage")
