"""EBAMA (Zhang et al., ECCV 2024, arXiv 2404.07389)."""

from dataclasses import replace

from heedful import losses
from heedful.guidance.methods.method import EMBEDDED, Method
from heedful.guidance.settings import Settings
from heedful.losses import PUBLISHED_SHARES

EBAMA = Method(
    name="ebama",
    loss=losses.EBAMA(shares=PUBLISHED_SHARES),
    settings=Settings(decay=(1.0, 1.0), guided=0.52),
    embedded=replace(EMBEDDED, step_size=10.0, guided=0.3),
)
"""SynGen with nouns alone pushed away, and each noun excited.

- Published, from its code: a constant step in 26 of 50 steps, without refinement.
- Embedded models: the published method that helps most there.
"""
