"""Attend-and-Excite (Chefer et al., SIGGRAPH 2023, arXiv 2301.13826): every concept gets one cell that attends to it.

Knows the loss. The step sizes, thresholds and sites that go with it are a method (`heedful.guidance`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from heedful.attention import Convention, Maps
from heedful.losses.loss import Loss
from heedful.losses.normalise import Columns, text_softmax
from heedful.prompts import Prompt
from heedful.shapes import PerItem


@dataclass(frozen=True, kw_only=True)
class AttendAndExcite(Loss):
    """L = max over concepts s of max(0, 1 - m_s), with m_s the largest cell of the concept's smoothed map.

    In [0, 1], and 0 if every concept has a cell that attends to nothing else; 0 for a prompt without concepts. Only
    the concept that is heeded least gets a gradient. The maps are renormalised over the text by softmax(100 map)
    (`text_softmax`), then smoothed. A concept of several tokens is their mean, where the published code leaves the
    choice of one token to its user. All else is the published code, whose text says less.
    """

    citation: ClassVar[str] = "chefer2023attend"

    scale: float = 100.0
    """Sharpness of the renormalisation over the text."""
    reference_tokens: int | None = None
    """For how many tokens `scale` is meant: Stable Diffusion's 77, of which each gets 1/77 if attention is even. Maps
    of another number of tokens get `scale * tokens / reference_tokens`, equally sharp relative to even attention: at
    16 tokens the plain scale of 100 saturates, and its gradient vanishes. None takes `scale` as it is."""
    columns: Columns = "padded"
    """Tokens that take part in it; "text" is the published mode for Stable Diffusion 2.1."""
    sigma: float | None = 0.5
    """Smoothing in cells of the map; None for none."""
    convention: Convention = "reference"
    """How sigma is meant: the published code's effective sigma is .707."""

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return L for each item, in [0, 1]."""
        factor = 1.0 if self.reference_tokens is None else maps.tokens.shape[1] / self.reference_tokens
        shares = Maps(text_softmax(maps, prompts, self.scale * factor, self.columns))
        if self.sigma is not None:
            shares = shares.smooth(self.sigma, convention=self.convention)
        groups = shares.group(prompts)
        if groups.maps.shape[1] == 0:
            return maps.tokens.new_zeros(len(maps))
        peaks = groups.maps.amax(dim=(-2, -1))  # -> (batch, concept), the paper's m_s
        return (1 - peaks).clamp(min=0).masked_fill(~groups.is_there, 0).amax(dim=1)
