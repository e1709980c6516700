"""Divide & Bind (Li et al., BMVC 2023, arXiv 2307.10864)."""

from heedful.guidance.methods.method import EMBEDDED, Method
from heedful.guidance.settings import Settings
from heedful.losses import PUBLISHED_SHARES, DivideAndBind

DIVIDE_AND_BIND = Method(
    name="divide-and-bind",
    loss=DivideAndBind(shares=PUBLISHED_SHARES),
    settings=Settings(guided=0.5, targets=((0.0, -0.05), (0.2, -0.2), (0.4, -0.3)), max_refinements=50),
    embedded=EMBEDDED,
)
"""Concepts excite several locations, modifiers the same ones.

- Published, from its code: refined at steps 0, 10 and 20 of 50 until the total variation is 0.05, 0.2 and 0.3; here,
  until the whole loss is below minus that.
- Not here: the code raises the weight of the binding from 1 to 5 at step 10 and to 10 at step 20. A method has one loss
  for the whole run, so it stays 1.
"""
