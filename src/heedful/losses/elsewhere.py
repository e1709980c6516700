"""Elsewhere: where no concept is, the image should look at nothing but the start token.

A second cat seldom shows in the map of "cat": it grows in a third location, out of the words between the
concepts and of the end token, which carries the whole caption. What all of them together do there, the start token
tells, for the attention of a cell sums to 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.attention import Maps
from heedful.losses.areas import cell_positions
from heedful.losses.loss import Loss
from heedful.losses.normalise import at_least_tiny
from heedful.prompts import Prompt
from heedful.shapes import PerItem


@dataclass(frozen=True, kw_only=True)
class Elsewhere(Loss):
    """L = F / (F + N),   F and N the maximum of H(x) = 1 - A_start(x) over the cells far from and near the concepts.

    H(x) is how much a cell attends to any of the text, padding and end token included. A cell is near a concept if it
    is no farther from the peak of its map than `reach` times the grid's longer side. In [0, 1]: 0 if all attention to
    the text lies around the concepts, 1/2 if a third location attends as much. No gradient flows through where the
    peaks are.

    It needs a text encoder that puts a start token first, as CLIP does; for T5 (FLUX, PixArt) it adds nothing.
    """

    reach: float = 0.45
    """An object of the embedded world is up to half an image wide; smaller reaches take its rim for another object."""

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return the share of each item, in [0, 1]; 0 for a prompt without concepts."""
        groups = maps.group(prompts)
        near = (_distance_from_peak(groups.maps) <= self.reach * max(maps.size)) & groups.is_there[..., None]
        attending = 1 - maps.tokens[:, 0].flatten(1)  # -> (batch, cell)
        is_near = near.any(1)  # -> (batch, cell)
        far, close = (attending.masked_fill(hidden, 0).amax(-1) for hidden in (is_near, ~is_near))
        has_start = torch.tensor([prompt.has_start for prompt in prompts], device=far.device)
        return (far / at_least_tiny(far + close)).masked_fill(~(groups.is_there.any(1) & has_start), 0)

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return that it adds nothing to a prompt without concepts, or without a start token."""
        if prompt.has_start or not prompt.concepts:
            return super().idle_for(prompt)
        return (
            "Elsewhere needs a text encoder with a start token, such as CLIP, and this one has none: it adds nothing.",
        )


def _distance_from_peak(maps: Float[Tensor, "batch concept height width"]) -> Float[Tensor, "batch concept cell"]:
    """Return how many cells each cell is from the highest of its map."""
    cells = cell_positions(maps, *maps.shape[-2:])
    peaks = cells[maps.flatten(-2).argmax(-1)]  # -> (batch, concept, 2)
    return (cells - peaks[:, :, None]).square().sum(-1).sqrt()  # -> (batch, concept, cell)
