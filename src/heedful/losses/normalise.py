"""How maps are brought to a common scale before they are compared: a stage of its own, because papers differ in it.

Knows tokens and cells. Knows no loss. Never changes its input (the reference codes multiply the caller's maps in
place).
"""

from collections.abc import Sequence
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
    lasts = torch.tensor([prompt.end if columns == "text" else length - 1 for prompt in prompts])[:, None]
    return ((positions >= firsts) & (positions < lasts)).to(maps.tokens.device)


def concept_groups(
    maps: Maps,
    prompts: Sequence[Prompt],
    normalisation: Normalisation = "none",
    sigma: float | None = None,
    convention: Convention = "reference",
) -> Groups:
    """Return the concept maps of all items, smoothed by `sigma` cells if it is given, then normalised.

    "softmax100" comes before the smoothing, over the padded tokens.
    """
    if normalisation == "softmax100":
        maps = Maps(text_softmax(maps, prompts))
    if sigma is not None:
        maps = maps.smooth(sigma, convention=convention)
    groups = maps.group(prompts)
    return Groups(_rescaled(groups.maps, normalisation), groups.is_there)


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
