"""How maps are brought to a common scale before they are compared: a stage of its own, because papers differ in it.

`TextShares` is Attend-and-Excite's, which several later papers took over; `Preparation` is for single maps. Neither
changes its input (the reference codes multiply the caller's maps in place).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from heedful.attention import Convention, Groups, Maps
from heedful.prompts import Prompt
from heedful.shapes import TokenMaps

Columns = Literal["padded", "text"]
"""Which tokens share a cell's attention: see `text_softmax`."""

Normalisation = Literal["none", "max", "min-max", "sum", "softmax100"]
"""Per map: as it is; divided by its maximum; moved to [0, 1]; divided by its sum. Per cell: `text_softmax`."""


def text_softmax(maps: Maps, prompts: Sequence[Prompt], scale: float = 100.0, columns: Columns = "padded") -> TokenMaps:
    """Return softmax(scale * maps) over the text tokens of each cell; other tokens are zero.

    "padded" keeps all but the start token and the last of the padded sequence, as the published Attend-and-Excite does:
    the end token and all padding but one stay in. "text" keeps what stands between the start and the end token, which
    is what its mode for Stable Diffusion 2.1 (`normalize_eot`) does.
    """
    kept = _text_columns(maps, prompts, columns)[:, :, None, None]  # -> (batch, token, 1, 1)
    scores = (scale * maps.tokens).masked_fill(~kept, -torch.inf)
    return scores.softmax(dim=1)


def _text_columns(maps: Maps, prompts: Sequence[Prompt], columns: Columns) -> Bool[Tensor, "batch token"]:
    """Return which tokens take part, for each item."""
    length = maps.tokens.shape[1]
    positions = torch.arange(length)
    firsts = torch.tensor([prompt.first for prompt in prompts])[:, None]
    # where padding stands before the text, its own last token is the last of all
    lasts = torch.tensor([prompt.end if columns == "text" else max(prompt.end, length - 1) for prompt in prompts])
    kept = (positions >= firsts) & (positions < lasts[:, None])
    for item, prompt in enumerate(prompts):  # a second encoder's tokens stand behind the padding
        kept[item, [index for concept in prompt.concepts for index in concept.phrase]] = True
    return kept.to(maps.tokens.device)


@dataclass(frozen=True, kw_only=True)
class TextShares:
    """Maps renormalised over the text by softmax(scale * maps), then smoothed: each token's share of a cell, in [0, 1].

    As in the published Attend-and-Excite, and in the losses that descend from it.
    """

    scale: float | None = 100.0
    """Sharpness of the softmax; None leaves the maps as they are."""
    reference_tokens: int | None = None
    """For how many tokens `scale` is meant: Stable Diffusion's 77, of which each gets 1/77 if attention is even. Maps
    of another number of tokens get `scale * tokens / reference_tokens`, equally sharp relative to even attention: at
    16 tokens the plain scale of 100 saturates, and its gradient vanishes. None takes `scale` as it is."""
    columns: Columns = "padded"
    """Tokens that take part in the softmax; "text" is the published mode for Stable Diffusion 2.1."""
    sigma: float | None = 0.5
    """Smoothing in cells of the map; None for none."""
    convention: Convention = "reference"
    """How sigma is meant: the published code's effective sigma is 0.707."""

    def __call__(self, maps: Maps, prompts: Sequence[Prompt]) -> Maps:
        """Return the shares of every token."""
        if self.scale is not None:
            factor = 1.0 if self.reference_tokens is None else maps.tokens.shape[1] / self.reference_tokens
            maps = Maps(text_softmax(maps, prompts, self.scale * factor, self.columns))
        return maps if self.sigma is None else maps.smooth(self.sigma, convention=self.convention)


PUBLISHED_SHARES = TextShares(reference_tokens=77)
"""The published numbers: exact for Stable Diffusion's 77 tokens, and as sharp for other text lengths."""


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Each concept's map, smoothed if `sigma` is given, then normalised."""

    normalisation: Normalisation = "none"
    """"softmax100" comes before the smoothing, over the padded tokens."""
    sigma: float | None = None
    """Smoothing in cells of the map; None for none."""
    convention: Convention = "reference"
    """How sigma is meant; see `heedful.attention.gaussian_kernel`."""

    def __call__(self, maps: Maps, prompts: Sequence[Prompt]) -> Groups:
        """Return the concept maps of all items."""
        if self.normalisation == "softmax100":
            maps = Maps(text_softmax(maps, prompts))
        if self.sigma is not None:
            maps = maps.smooth(self.sigma, convention=self.convention)
        groups = maps.group(prompts)
        return Groups(_rescaled(groups.maps, self.normalisation), groups.is_there)


def _rescaled(
    maps: Float[Tensor, "batch concept height width"], normalisation: Normalisation
) -> Float[Tensor, "batch concept height width"]:
    cells = (-2, -1)
    if normalisation == "max":
        return maps / at_least_tiny(maps.amax(cells, keepdim=True))
    if normalisation == "min-max":
        lowest = maps.amin(cells, keepdim=True)
        return (maps - lowest) / at_least_tiny(maps.amax(cells, keepdim=True) - lowest)
    if normalisation == "sum":
        return maps / at_least_tiny(maps.sum(cells, keepdim=True))
    return maps


def at_least_tiny(values: Tensor) -> Tensor:
    """Return `values`, but nothing too small to divide by: a map that sums to less than rounding errors is empty.

    Not the smallest number there is: its square, by which a quotient's gradient is divided, would be zero.
    """
    return values.clamp(min=torch.finfo(values.dtype).eps)
