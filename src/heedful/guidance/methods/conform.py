"""CONFORM (Meral et al., CVPR 2024, arXiv 2312.06059)."""

from dataclasses import replace

from heedful import losses
from heedful.attention import SiteSelection
from heedful.guidance.methods.method import EMBEDDED, Method
from heedful.guidance.settings import Settings
from heedful.losses import PUBLISHED_SHARES

_EVERY_TIME = float("-inf")
"""A target that no loss reaches: as many refinements as are allowed."""

CONFORM = Method(
    name="conform",
    loss=losses.CONFORM(shares=PUBLISHED_SHARES),
    settings=Settings(
        guided=0.5, targets=((0.0, _EVERY_TIME), (0.2, _EVERY_TIME), (0.4, _EVERY_TIME)), max_refinements=20
    ),
    embedded=replace(EMBEDDED, sites=SiteSelection(scale=2), step_size=2.0),
)
"""Maps of one concept attract, those of others repel, also those of the step before.

- Published, from its code: 20 refinements at each of steps 0, 10 and 20 of 50.
- Embedded models: every 8x8 site was better than the best one alone.
- Not here: the paper's margin-based variant, and its anchor step: memory is the step before.
"""
