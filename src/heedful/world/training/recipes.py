"""The recipes of the embedded models, and a miniature for tests."""

from heedful.world import style
from heedful.world.architecture import CROWDED_UNET
from heedful.world.training.captions import ALT_TEXT
from heedful.world.training.recipe import Recipe, Stage

# Stage 1 shows single objects on small canvases at their later pixel scale: classes and colours are learnt four times
# cheaper there (a trial found this the biggest gain). The mix of stage 2 decides how often two concepts come out well;
# stages 3 and 4, mostly single objects, make shapes whole and keep one object from coming twice. How many there will be
# is settled where nearly all is noise (at SNR 0.02 an object of 80 cells x 8 channels can be seen): stage 5 weighs that
# more.
SPRITES = Recipe(
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
    style=style.ON_A_GRID,
    learning_rate=1e-3,
    decay=0.3,
    ema=0.995,
    stages=(
        Stage(name="objects", steps=1400, batch=128, canvas=32, mix=(1.0, 0.0, 0.0), sizes=(22, 30)),
        Stage(name="scenes", steps=9000, batch=48, canvas=64, mix=(0.5, 0.47, 0.03)),
        Stage(name="singles", steps=1600, batch=48, canvas=64, mix=(0.75, 0.23, 0.02)),
    ),
    autoencoder_steps=0,
    detector_steps=0,
    clip_steps=0,
)

# Large objects that overlap, captions like alt text, and a text encoder that is trained apart and frozen, as in CLIP.
# The denoiser is the first world's, thinned out at 4x4 and given attention at 16x16.
CROWDED = Recipe(
    name="crowded",
    start="sprites",
    style=style.CROWDED,
    captions=ALT_TEXT,
    text_encoder_steps=600,
    learning_rate=7e-4,
    warmup=50,
    decay=0.5,
    ema=0.995,
    stages=(
        Stage(name="crowd", steps=700, batch=32, canvas=64, mix=(0.6, 0.38, 0.02), half_weight_snr=0.1),
        Stage(name="pairs", steps=1000, batch=32, canvas=64, mix=(0.5, 0.48, 0.02), half_weight_snr=0.05),
        Stage(name="more pairs", steps=2200, batch=32, canvas=64, mix=(0.5, 0.48, 0.02), half_weight_snr=0.04),
        Stage(name="mostly pairs", steps=1900, batch=32, canvas=64, mix=(0.35, 0.63, 0.02), half_weight_snr=0.04),
        Stage(name="both", steps=7700, batch=32, canvas=64, mix=(0.45, 0.53, 0.02), half_weight_snr=0.04),
    ),
    denoiser_config=tuple(CROWDED_UNET.items()),
    autoencoder_steps=0,
    detector_steps=1500,
    clip_steps=0,
)

RECIPES = {recipe.name: recipe for recipe in (SPRITES, CROWDED, JOINT)}
"""The recipe of each embedded model by its name."""

# A recipe of seconds, for tests of the machinery; its model shows nothing.
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
