"""Attend-and-Excite (Chefer et al., SIGGRAPH 2023, arXiv 2301.13826)."""

from dataclasses import replace

from heedful.guidance.methods.method import EMBEDDED, Method
from heedful.guidance.settings import Settings
from heedful.losses import PUBLISHED_SHARES, AttendAndExcite

WITHOUT_REFINEMENT = Settings(step_size=20.0, decay=(1.0, 0.5), guided=0.5)
"""20 sqrt(linspace(1, 0.5, 50)) in 25 of 50 steps, for sums and controls, for which the targets are not meant."""

ATTEND_AND_EXCITE = Method(
    name="attend-and-excite",
    loss=AttendAndExcite(shares=PUBLISHED_SHARES),
    settings=replace(WITHOUT_REFINEMENT, targets=((0.0, 0.95), (0.2, 0.5), (0.4, 0.2)), max_refinements=20),
    embedded=replace(EMBEDDED, guided=0.3),
)
"""The concept with the least attention is excited.

- Published, from its code: 20 sqrt(linspace(1, 0.5, 50)), guided in 25 of 50 steps, refined at steps 0, 10 and 20 until
  each concept's largest share is 0.05, 0.5 and 0.8, by at most 20 updates.
- Embedded models: without refinement, which doubled the cost and did not help.
- Left open: the text says less than the code, which is followed. Where a concept has several tokens, the code leaves
  the choice of one to its user; here their mean is taken.
"""
