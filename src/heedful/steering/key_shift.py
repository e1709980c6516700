"""Keys of the concepts' tokens, moved along directions that probes have found: steering without a gradient."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.attention import find_sites
from heedful.errors import SettingsError
from heedful.prompts import Prompt
from heedful.steering.update import stream

TextKeys = Float[Tensor, "batch head token width"]


@dataclass(frozen=True, kw_only=True)
class Head:
    """What a probe found in one attention head: how the keys of absent and present concepts differ."""

    site: str
    """Name of the attention module in the denoiser."""
    number: int
    """Number of the head, counted from 0."""
    direction: tuple[float, ...]
    """A vector of length 1: mean key of concepts that are absent from their image less that of those that are there."""
    spread: float
    """Standard deviation of the keys along it."""
    score: float
    """How well the keys along it tell absent concepts from present ones: area under the curve, 0.5 by chance."""


@dataclass(frozen=True, kw_only=True)
class KeyShift:
    """k_c <- k_c + strength * spread * direction, for the tokens c of each concept's noun, in the chosen heads.

    In the conditional rows alone. Heads belong to one denoiser: `heedful.lab.fit_probes` finds them.
    """

    citations: ClassVar = ("osi2026",)

    heads: tuple[Head, ...] = ()
    strength: float = 5.0
    """How many standard deviations; a negative one moves the keys to those of present concepts."""
    guided: float | int = 0.5
    """Share of the steps, from the first on, in which keys are moved."""

    def randomised(self, seed: int = 0) -> "KeyShift":
        """Return the control: the same heads and lengths, in random directions."""
        generator = stream("key directions", seed)
        draws = [torch.randn(len(head.direction), generator=generator) for head in self.heads]
        directions = [tuple((draw / draw.norm()).tolist()) for draw in draws]
        pairs = zip(self.heads, directions, strict=True)
        return replace(self, heads=tuple(replace(head, direction=direction) for head, direction in pairs))

    def check(self, denoiser: Any) -> None:
        """Raise `SettingsError` unless there are heads, all of them of `denoiser`."""
        if not self.heads:
            raise SettingsError(
                "Expected heads whose keys are moved, got none: they belong to one denoiser. Find them by "
                "heedful.lab.fit_probes, and pass replace(settings, key_shift=replace(settings.key_shift, heads=...))."
            )
        strangers = {head.site for head in self.heads} - {site.name for site in find_sites(denoiser)}
        if strangers:
            raise SettingsError(
                f"Expected heads at sites of this denoiser, got {', '.join(sorted(strangers))}. Fit probes for it."
            )

    def moved(self, site: str, keys: TextKeys, rows: Sequence[int], prompts: Sequence[Prompt]) -> TextKeys:
        """Return the keys of a site with those of the concepts moved, in `rows`, one per prompt."""
        heads = [head for head in self.heads if head.site == site]
        if not heads:
            return keys
        update = torch.zeros_like(keys)
        for row, prompt in zip(rows, prompts, strict=True):
            tokens = [index for concept in prompt.concepts for index in concept.token_indices]
            for head in heads:
                update[row, head.number, tokens] = self.strength * head.spread * _like(head.direction, keys)
        return keys + update


def _like(direction: tuple[float, ...], keys: Tensor) -> Tensor:
    return torch.tensor(direction, dtype=keys.dtype, device=keys.device)
