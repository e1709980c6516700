"""The numbers of the methods: published ones for Stable Diffusion, tuned ones for the embedded world. Data only.

Published settings were made for raw gradients, 16x16 maps and 50 steps; here they are fractions of the run, so that 50
steps give the published numbers exactly. The embedded model's maps are smaller and its latents have more channels, so
step sizes do not carry over: its settings scale the gradient to a root mean square of 1 per image.
"""

from heedful.attention import SiteSelection
from heedful.guidance.settings import PUBLISHED_SITES, Settings

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

WORLD_SITES = SiteSelection(blocks=("up",), scale=2)
"""The embedded model's best maps: 8x8, in the first up block that attends to the text."""

WORLD = Settings(sites=WORLD_SITES, step_size=0.06, step_rule="rms", decay=(1.0, 0.5), decay_law="linear", guided=0.5)
"""For every method on the embedded model, unless it has its own below."""

WORLD_ATTEND_AND_EXCITE = WORLD
WORLD_A_STAR = WORLD
WORLD_ATTEND_AND_EXCITE_A_STAR = WORLD
