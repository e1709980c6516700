"""Attend-and-Excite (Chefer et al., SIGGRAPH 2023, arXiv 2301.13826): each concept gets a cell that attends to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from heedful.attention import Maps
from heedful.losses import PUBLISHED_SHARES, Loss, TextShares
from heedful.prompts import Prompt
from heedful.shapes import PerItem
from heedful.steering import EMBEDDED, Method, Settings


@dataclass(frozen=True, kw_only=True)
class AttendAndExciteLoss(Loss):
    """L = max over concepts s of max(0, 1 - m_s), with m_s the largest cell of the concept's smoothed map.

    In [0, 1], and 0 if every concept has a cell that attends to nothing else; 0 for a prompt without concepts. Only the
    concept with the least attention gets a gradient. The maps are renormalised over the text by softmax(100 map), then
    smoothed (`TextShares`). A concept of several tokens is their mean, where the published code leaves the choice of
    one token to its user. All else is the published code, whose text says less.
    """

    citations = ("chefer2023attend",)

    shares: TextShares = field(default_factory=TextShares)

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return L for each item, in [0, 1]."""
        groups = self.shares(maps, prompts).group(prompts)
        if groups.maps.shape[1] == 0:
            return maps.tokens.new_zeros(len(maps))
        peaks = groups.maps.amax(dim=(-2, -1))  # -> (batch, concept), the paper's m_s
        return (1 - peaks).clamp(min=0).masked_fill(~groups.is_there, 0).amax(dim=1)


WITHOUT_REFINEMENT = Settings(step_size=20.0, decay=(1.0, 0.5), guided=0.5)
"""20 sqrt(linspace(1, 0.5, 50)) in 25 of 50 steps, for sums and controls, for which the targets are not meant."""

ATTEND_AND_EXCITE = Method(
    name="attend-and-excite",
    loss=AttendAndExciteLoss(shares=PUBLISHED_SHARES),
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
