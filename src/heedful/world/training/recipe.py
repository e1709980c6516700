"""How the embedded model is made, as data: stages, sizes, seeds, learning rates. Knows no code that uses them."""

from dataclasses import dataclass
from typing import Literal

from heedful.world.style import APART, CROWDED, Style
from heedful.world.training.captions import ALT_TEXT, TRUE_CAPTIONS, CaptionNoise


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Some steps of denoiser training on one kind of scene.

    `canvas` is the side of the picture in pixels, `mix` gives the share of scenes with 1, 2 and 3 objects, `sizes`
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
    empty: tuple[int, ...] = (0,)
    """Numbers of empty text tokens, one of which each step of joint attention draws; see `heedful.world.joint`."""


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
    """Of a contrastive training of its own, after which the text encoder is frozen; 0: it learns with the denoiser."""
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


# Stage 1 shows single objects on small canvases at their later pixel scale: classes and colours are learnt four times
# cheaper there (a trial found this the biggest gain). The mix of stage 2 decides how often two concepts come out well;
# stages 3 and 4, mostly single objects, make shapes whole and keep one object from coming twice. How many there will be
# is settled where nearly all is noise (at SNR .02 an object of 80 cells x 8 channels can be seen): stage 5 weighs that
# more.
RECIPE = Recipe(
    stages=(
        Stage(name="objects", steps=1600, batch=64, canvas=32, mix=(1.0, 0.0, 0.0), sizes=(22, 30)),
        Stage(name="scenes", steps=3700, batch=32, canvas=64, mix=(0.55, 0.42, 0.03)),
        Stage(name="shapes", steps=5600, batch=64, canvas=64, mix=(0.75, 0.22, 0.03)),
        Stage(name="singles", steps=4200, batch=64, canvas=64, mix=(0.84, 0.14, 0.02)),
        Stage(name="counts", steps=2100, batch=64, canvas=64, mix=(0.97, 0.03, 0.0), half_weight_snr=0.04),
    ),
    autoencoder_steps=1800,
    detector_steps=6000,
    clip_steps=2400,
)

# Small canvases are cheap here too. Latents, autoencoder and judge are those of the embedded model.
JOINT = Recipe(
    name="joint",
    denoiser="joint",
    start="sprites",
    learning_rate=1e-3,
    stages=(
        Stage(name="objects", steps=1400, batch=128, canvas=32, mix=(1.0, 0.0, 0.0), sizes=(22, 30)),
        Stage(name="scenes", steps=3600, batch=64, canvas=64, mix=(0.55, 0.42, 0.03)),
    ),
    autoencoder_steps=0,
    detector_steps=0,
    clip_steps=0,
)

CROWDED_WORLD = Recipe(
    name="crowded",
    start="sprites",
    style=CROWDED,
    captions=ALT_TEXT,
    text_encoder_steps=600,
    learning_rate=7e-4,
    warmup=50,
    stages=(Stage(name="crowd", steps=1600, batch=32, canvas=64, mix=(0.6, 0.38, 0.02), half_weight_snr=0.1),),
    denoiser_config=(
        ("block_out_channels", (64, 112, 96)),
        ("up_block_types", ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D")),
    ),
    autoencoder_steps=0,
    detector_steps=2000,
    clip_steps=0,
)

# A recipe of seconds, for tests of the machinery; it paints nothing.
MINIATURE = Recipe(
    stages=(
        Stage(name="objects", steps=4, batch=4, canvas=32, mix=(1.0, 0.0, 0.0), sizes=(22, 30)),
        Stage(name="scenes", steps=4, batch=2, canvas=64, mix=(0.5, 0.5, 0.0)),
    ),
    warmup=2,
    projection_images=32,
    autoencoder_steps=4,
    autoencoder_batch=2,
    detector_steps=4,
    detector_batch=2,
    clip_steps=4,
    clip_batch=2,
    denoiser_config=(("block_out_channels", (16, 32, 32)),),
    autoencoder=(("block_out_channels", (16, 16, 16)),),
    clip=(("hidden_size", 16), ("intermediate_size", 16), ("num_hidden_layers", 1)),
)
