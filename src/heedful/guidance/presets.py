"""The numbers of the methods: published ones for Stable Diffusion, tuned ones for the embedded world. Data only.

Published settings were made for raw gradients, 16x16 maps and 50 steps; here they are fractions of the run, so that 50
steps give the published numbers exactly. Those of the embedded world were chosen on 40 prompts of the development half
of its two-concept prompts x 4 seeds, by `benchmarks/tuning.py`; docs/first-results.md says what was tried.
"""

from dataclasses import replace

from heedful.attention import SiteSelection
from heedful.guidance.initial_noise import InitialNoise
from heedful.guidance.restart import Restart
from heedful.guidance.settings import PUBLISHED_SITES, Settings
from heedful.losses import Elsewhere

ATTEND_AND_EXCITE = Settings(
    sites=PUBLISHED_SITES,
    step_size=20.0,
    decay=(1.0, 0.5),
    guided=0.5,
    thresholds=((0.0, 0.05), (0.2, 0.5), (0.4, 0.8)),
    max_refinements=20,
)
"""Its code's: 20 sqrt(linspace(1, .5, 50)), guided in 25 of 50 steps, refined at steps 0, 10 and 20."""

A_STAR = Settings(sites=PUBLISHED_SITES, step_size=20.0, decay=(1.0, 0.5), guided=1.0)
"""Every step, as the paper says; it states no step size, so this is Attend-and-Excite's. No refinement."""

ATTEND_AND_EXCITE_A_STAR = Settings(sites=PUBLISHED_SITES, step_size=20.0, decay=(1.0, 0.5), guided=0.5)
"""Nobody's published settings: Attend-and-Excite's without refinement, whose targets are not meant for a sum."""

_EVERY_TIME = float("inf")
"""A target that no loss reaches: as many refinements as are allowed."""

DIVIDE_AND_BIND = Settings(
    sites=PUBLISHED_SITES,
    guided=0.5,
    thresholds=((0.0, 1.05), (0.2, 1.2), (0.4, 1.3)),
    max_refinements=50,
)
"""Its code's: refined at steps 0, 10 and 20 of 50 until the total variation is .05, .2 and .3; here, until the whole
loss is below minus that."""

SYNGEN = Settings(sites=PUBLISHED_SITES, decay=(1.0, 1.0), guided=0.5)
"""Its code's: a constant step in 25 of 50 steps, without refinement."""

EBAMA = Settings(sites=PUBLISHED_SITES, decay=(1.0, 1.0), guided=0.52)
"""Its code's: a constant step in 26 of 50 steps, without refinement."""

CONFORM = Settings(
    sites=PUBLISHED_SITES,
    guided=0.5,
    thresholds=((0.0, _EVERY_TIME), (0.2, _EVERY_TIME), (0.4, _EVERY_TIME)),
    max_refinements=20,
)
"""Its code's: 20 refinements at each of steps 0, 10 and 20 of 50."""

FOCUS = Settings(sites=PUBLISHED_SITES, guided=0.5)
"""Attend-and-Excite's: the paper steers flow matching models, to which its own numbers belong."""

HEEDFUL = Settings(sites=PUBLISHED_SITES, step_size=25.0, decay=(1.0, 0.5), guided=0.3)
"""Those of the embedded world at the published sites, without restarts, whose limit belongs to that world.
Nobody has tuned them for Stable Diffusion."""

WORLD_SITES = SiteSelection(blocks=("up",), scale=2)
"""The embedded model's best maps: 8x8, in the first up block that attends to the text."""

ALL_WORLD_SITES = SiteSelection(scale=2)
"""Every 8x8 site; better for some of the published methods."""

WORLD = Settings(sites=WORLD_SITES, step_size=20.0, decay=(1.0, 0.5), guided=0.5)
"""Attend-and-Excite's published step sizes, for every method on the embedded model unless it has its own below.

A gradient scaled to a fixed size was tried: no better for Attend-and-Excite, and much worse for segregation, because it
moves images whose loss is low already as far as the others.
"""

WORLD_ATTEND_AND_EXCITE = replace(WORLD, guided=0.3)
"""Without refinement, which doubled the cost and did not help."""

WORLD_A_STAR = replace(WORLD, step_size=12.0, guided=0.3)
"""Larger steps and longer guidance made more duplicates."""

WORLD_ATTEND_AND_EXCITE_A_STAR = replace(WORLD, step_size=40.0, guided=0.3)

WORLD_DIVIDE_AND_BIND = WORLD

WORLD_SYNGEN = replace(WORLD, sites=ALL_WORLD_SITES, step_size=3.0, guided=0.3)

WORLD_EBAMA = replace(WORLD, step_size=10.0, guided=0.3)
"""The published method that helps most there."""

WORLD_CONFORM = replace(WORLD, sites=ALL_WORLD_SITES, step_size=2.0)

WORLD_FOCUS = replace(WORLD, guided=0.3)

WORLD_HEEDFUL = Settings(
    sites=WORLD_SITES,
    scheme="one-pass",
    condition_alone=True,
    step_size=25.0,
    decay=(1.0, 0.5),
    guided=0.3,
    restart=Restart(step=0.25, limit=0.385, tries=4, loss=Elsewhere()),
)
"""Guided in 30 % or in half of the run did as well: the cheaper was taken. Such steps cost less than plain ones; what
that saves is spent on other noises."""

INITNO = replace(ATTEND_AND_EXCITE_A_STAR, initial_noise=InitialNoise())
"""The search is the published code's: 5 noises x 10 iterations, then 50; limits .2 and .3; Adam at .01, epsilon .001.
While sampling, the first half of the steps, as published, with Attend-and-Excite's step size."""

WORLD_INITNO = replace(
    WORLD,
    guided=0,
    initial_noise=InitialNoise(
        cross_limit=0.5, noises=3, iterations=1, final_iterations=15, learning_rate=0.05, divergence=0.01
    ),
)
"""In 100 iterations as published, none of four images of the embedded model came below a cross response of .4, and the
search alone took twice the denoiser rows of a plain image of 25 steps. A look at each of 3 noises, then 15 longer steps
from the best within a wider divergence, lowered both losses about as far. Guidance after the search made it worse."""
