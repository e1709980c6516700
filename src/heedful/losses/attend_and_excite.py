"""Attend-and-Excite (Chefer et al., SIGGRAPH 2023, arXiv 2301.13826): every concept gets one cell that attends to it.

The step sizes, targets and sites that go with it are in `heedful.guidance.methods`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from heedful.attention import Maps
from heedful.losses.loss import Loss
from heedful.losses.normalise import TextShares
from heedful.prompts import Prompt
from heedful.shapes import PerItem


@dataclass(frozen=True, kw_only=True)
class AttendAndExcite(Loss):
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
