"""InitNO (Guo et al., CVPR 2024, arXiv 2404.04650)."""

from dataclasses import replace

from heedful.guidance.initial_noise import InitialNoise
from heedful.guidance.methods.attend_and_excite import WITHOUT_REFINEMENT
from heedful.guidance.methods.method import EMBEDDED, Method
from heedful.losses import PUBLISHED_SHARES, AttendAndExcite, SelfConflict

INITNO = Method(
    name="initno",
    loss=AttendAndExcite(shares=PUBLISHED_SHARES) + SelfConflict(shares=PUBLISHED_SHARES),
    settings=replace(WITHOUT_REFINEMENT, initial_noise=InitialNoise()),
    embedded=replace(
        EMBEDDED,
        guided=0.0,
        initial_noise=InitialNoise(
            cross_limit=0.5, noises=3, iterations=1, final_iterations=15, learning_rate=0.05, divergence=0.01
        ),
    ),
)
"""The initial noise is chosen and moved until the maps of the first step are good; then Attend-and-Excite's loss and
the self-conflict, 1 : 1, steer the first half of the steps.

- Published, from its code: 5 noises x 10 iterations, then 50; limits 0.2 and 0.3; Adam at 0.01, epsilon 0.001.
- Embedded models: in 100 iterations as published, none of four images came below a cross response of 0.4, and the
  search alone took twice the denoiser rows of a plain image of 25 steps. A look at each of 3 noises, then 15 longer
  steps from the best within a wider divergence, lowered both losses about as far. Guidance after it made it worse.
- Left open or different: see `heedful.guidance.InitialNoise`. The step size is Attend-and-Excite's.
- Not here: two terms that the code adds while it samples, at weight 0.1 (see `heedful.losses.SelfConflict`), and its
  refinement at two later steps, whose targets are not known for this sum.
"""
