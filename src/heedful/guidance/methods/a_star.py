"""A-STAR (Agarwal et al., ICCV 2023, arXiv 2306.14544), and its sum with Attend-and-Excite."""

from dataclasses import replace

from heedful.guidance.methods.attend_and_excite import WITHOUT_REFINEMENT
from heedful.guidance.methods.method import EMBEDDED, Method
from heedful.guidance.settings import Settings
from heedful.losses import PUBLISHED_SHARES, AttendAndExcite, Retention, Segregation

_LOSS = Segregation() + Retention(threshold="quantile", quantile=0.9)

A_STAR = Method(
    name="a-star",
    loss=_LOSS,
    settings=Settings(step_size=20.0, decay=(1.0, 0.5), guided=1.0),
    embedded=replace(EMBEDDED, step_size=12.0, guided=0.3),
)
"""Concepts keep apart and are kept, 1 : 1.

- Published: guided at every step. No step size is stated, so it is Attend-and-Excite's; no refinement.
- Embedded models: larger steps and longer guidance made more duplicates.
- Left open, and no code was published. Chosen here:
  - maps: mean over heads and all 16x16 cross-attention sites, as in Attend-and-Excite, not smoothed;
  - normalisation: none for segregation, whose ratio is a ratio of sums; by the maximum for retention, because raw
    attention (about 1/77) against a mask of ones is 0.98 whatever the map;
  - mask of the step before: the highest tenth of the map's cells, from the maps of the pass that predicted that step's
    noise, so after that step's update; a constant, without gradient; none at the first step. Above the mean is the
    plainer reading, but asks each concept to fill some 40 % of the image: on the embedded model that doubles objects;
  - ratio: the paper's, sum of minima over sum of both, although it calls that an intersection over union;
  - step size: Attend-and-Excite's 20 sqrt(linspace(1, 0.5, steps)); one update per step.

Each is a field of `Segregation`, `Retention` or `Settings`.
"""

ATTEND_AND_EXCITE_A_STAR = Method(
    name="attend-and-excite+a-star",
    loss=AttendAndExcite(shares=PUBLISHED_SHARES) + _LOSS,
    settings=WITHOUT_REFINEMENT,
    embedded=replace(EMBEDDED, step_size=40.0, guided=0.3),
)
"""The sum of both: concepts are present, apart and kept. Nobody's published settings: Attend-and-Excite's without
refinement, whose targets are not meant for a sum."""
