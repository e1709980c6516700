"""The maps that losses and overlays are made of: one per token, one per concept.

Maps are values: every operation returns new ones.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from heedful.attention import filters
from heedful.attention.sites import Rows
from heedful.errors import SettingsError
from heedful.prompts import Prompt
from heedful.shapes import CellMaps, ConceptMaps, TokenMaps


@dataclass(frozen=True, eq=False)
class Maps:
    """How much each cell of an image looks at each token: mean over heads and sites, float32 or wider."""

    tokens: TokenMaps
    """In [0, 1]; each cell sums to 1 over the tokens, padding and special tokens included; but see `rows`."""
    self_attention: CellMaps | None = None
    """How each cell looks at every cell of the same grid; None unless a loss asked for it."""
    rows: Rows = "image"
    """Whose attention this is. By the rows of the text of joint attention, a map says where its word looks, and what a
    cell has need not sum to 1 (`word_attention`)."""

    @classmethod
    def mean(cls, sites: Sequence[Tensor]) -> "Maps":
        """Return the mean of the maps of several sites, each (batch, token, height, width), on the finest grid."""
        height, width = max((tuple(maps.shape[-2:]) for maps in sites), key=lambda size: size[0] * size[1])
        return cls(torch.stack([filters.resize(maps, height, width) for maps in sites]).mean(0))

    def __len__(self) -> int:
        return self.tokens.shape[0]

    def __getitem__(self, item: int) -> "Maps":
        """Return the maps of one item, as a batch of one."""
        index = range(len(self))[item]  # IndexError beyond the end, so that loops over maps end
        return self._each(lambda maps: maps[index : index + 1])

    def __iter__(self) -> Iterator["Maps"]:
        return (self[item] for item in range(len(self)))

    def select(self, items: Sequence[int]) -> "Maps":
        """Return the maps of several items, in the order of `items`."""
        return self._each(lambda maps: maps[list(items)])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in cells."""
        return self.tokens.shape[-2], self.tokens.shape[-1]

    def detach(self) -> "Maps":
        """Return the same values without their graph."""
        return self._each(lambda maps: maps.detach())

    def clone(self) -> "Maps":
        """Return the same values in memory of their own."""
        return self._each(torch.clone)

    def resize(self, height: int, width: int) -> "Maps":
        """Return the maps on another grid, bilinearly; of self-attention, both the cells that look and those seen."""
        looks = None if self.self_attention is None else filters.resize_both(self.self_attention, height, width)
        return replace(self, tokens=filters.resize(self.tokens, height, width), self_attention=looks)

    def by_frame(self, frames: int) -> "Maps":
        """Return the maps of videos, whose `frames` stand one below the other, as an item for each frame."""
        if frames == 1:
            return self
        apart = self.tokens.unflatten(-2, (frames, -1))  # -> (batch, token, frame, height, width)
        return replace(self, tokens=apart.transpose(1, 2).flatten(0, 1), self_attention=None)

    def smooth(self, sigma: float = 0.5, size: int = 3, convention: filters.Convention = "reference") -> "Maps":
        """Return the maps smoothed by a Gaussian of `sigma` cells; see `filters.gaussian_kernel` for `convention`.

        Self-attention stays as it is.
        """
        return replace(self, tokens=filters.smooth(self.tokens, sigma, size, convention))

    def concepts(self, prompts: Sequence[Prompt]) -> list[ConceptMaps]:
        """Return, for each item, the maps of its prompt's concepts: the mean over the tokens of the noun."""
        groups = self.group(prompts)
        return [maps[there] for maps, there in zip(groups.maps, groups.is_there, strict=True)]

    def group(self, prompts: Sequence[Prompt]) -> "Groups":
        """Return the concept maps of all items in one tensor; prompts with fewer concepts leave positions empty.

        `prompts` holds one prompt per item. Raises `SettingsError` if it does not.
        """
        for prompt in prompts:
            _check_tokens(prompt, self.tokens.shape[1])
        return self.group_tokens([[concept.token_indices for concept in prompt.concepts] for prompt in prompts])

    def group_tokens(self, groups: Sequence[Sequence[Sequence[int]]]) -> "Groups":
        """Return, for each item, the mean maps of groups of tokens, which are given by their indices.

        Raises `SettingsError` unless there is one list of groups per item.
        """
        if len(groups) != len(self):
            raise SettingsError(f"Expected one prompt per item, got {len(groups)} prompts for {len(self)} items.")
        most = max(map(len, groups), default=0)
        weights = torch.zeros(len(self), most, self.tokens.shape[1], dtype=torch.float64)
        for item, own in enumerate(groups):
            for index, tokens in enumerate(own):
                weights[item, index, list(tokens)] = 1 / len(tokens)
        is_there = (weights.sum(-1) > 0).to(self.tokens.device)
        # (batch, group, token), (batch, token, height, width) -> (batch, group, height, width)
        maps = torch.einsum("bct,bthw->bchw", weights.to(self.tokens), self.tokens)
        return Groups(maps, is_there)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Maps":
        """Return the maps with `change` made to every tensor that is there."""
        looks = None if self.self_attention is None else change(self.self_attention)
        return replace(self, tokens=change(self.tokens), self_attention=looks)


@dataclass(frozen=True, eq=False)
class Groups:
    """The concept maps of a batch whose items may have different numbers of concepts."""

    maps: Float[Tensor, "batch concept height width"]
    """In [0, 1]; zero at empty positions."""
    is_there: Bool[Tensor, "batch concept"]
    """Whether a position holds a concept."""


def _check_tokens(prompt: Prompt, there: int) -> None:
    """Raise `SettingsError` if a concept has tokens beyond those that the denoiser read."""
    for concept in prompt.concepts:
        if max(concept.token_indices) >= there:
            raise SettingsError(
                f"Expected the tokens of {concept.name!r} among the {there} that the denoiser reads, got token "
                f"{max(concept.token_indices)}. Shorten the prompt, or raise the pipeline's max_sequence_length."
            )
