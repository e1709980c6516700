"""How the embedded model is made, as data: stages, sizes, seeds, learning rates. Knows no code that uses them."""

from dataclasses import dataclass


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


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides the weights, except the machine's arithmetic.

    Learning rates rise over `warmup` steps, stay, and fall linearly to zero over the last `decay` share of a phase.
    `bfloat16` computes the denoiser's products in bfloat16, with weights and sums in float32: 1.6 times as fast on a
    CPU that has such instructions, half as fast on one that has not.
    """

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
    unet: tuple[tuple[str, object], ...] = ()
    autoencoder: tuple[tuple[str, object], ...] = ()
    clip: tuple[tuple[str, object], ...] = ()


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
    unet=(("block_out_channels", (16, 32, 32)),),
    autoencoder=(("block_out_channels", (16, 16, 16)),),
    clip=(("hidden_size", 16), ("intermediate_size", 16), ("num_hidden_layers", 1)),
)
