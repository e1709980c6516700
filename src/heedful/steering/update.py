"""How latents move along a gradient: one update, or refinement until the loss is low enough.

The caller passes `look`, which returns loss and gradient at given latents. Items never mix: each has its own step,
its own target, its own end.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heedful.shapes import Latents, PerItem

Look = Callable[[Sequence[int], Latents], tuple[PerItem, Latents]]
"""(items, their latents) -> (their losses, gradient of each loss with respect to its latents)."""

Direct = Callable[[Sequence[int], Latents, PerItem], Latents]
"""(items, their gradients and losses) -> the direction in which each goes downhill, times -1, before the step size."""

Rule = Literal["raw", "mean-square", "root", "rms", "first", "polyak"]
"""What a step size multiplies: see `Settings.step_rule`."""


@dataclass(frozen=True)
class Move:
    """What happened to the latents in one step."""

    latents: Latents
    loss: PerItem
    """Before the first update; NaN for items that were not looked at."""
    refinements: Int[Tensor, "batch"]
    skipped: Bool[Tensor, "batch"]
    """Whether an update was skipped because its loss or gradient was not finite."""
    active: tuple[int, ...]
    """Items that were not good enough before the step."""


def move(
    latents: Latents,
    look: Look,
    direct: Direct,
    step_size: float,
    *,
    update: bool = True,
    target: float | None = None,
    max_refinements: int = 20,
    items: Sequence[int] | None = None,
    enough: float | None = None,
    longest: PerItem | None = None,
) -> Move:
    """Refine each item whose loss is above `target` until it is not, then make one `update` of every item.

    - `look` returns loss and gradient of some items at given latents; `direct` turns their gradients into directions.
    - `step_size` is the length of a step along them.
    - `update`: False only refines.
    - `target`: the largest loss that is accepted without refinement; None refines nothing.
    - `max_refinements` of one item, at most.
    - `items` are looked at; all of them by default.
    - `enough`: items whose loss is at most this stay where they are.
    - `longest`: for each item, the largest root mean square of one update; None for no bound.

    As in the published code of Attend-and-Excite, an update is also made from the point at which a refinement first
    reaches its target, and at most `max_refinements` are made. Unlike there, no point is looked at twice, and only
    items that are still being refined are looked at.
    """
    latents = latents.clone()
    every = list(range(len(latents)) if items is None else items)
    loss, gradient = latents.new_full((len(latents),), torch.nan), torch.zeros_like(latents)
    loss[every], gradient[every] = look(every, latents[every])
    first = loss.clone()
    if enough is not None:
        every = [item for item in every if not loss[item] <= enough]
    refinements = torch.zeros(len(latents), dtype=torch.long)
    skipped = torch.zeros(len(latents), dtype=torch.bool)

    def step(items: list[int]) -> list[int]:
        """Move `items`; return those that could be moved."""
        finite = loss[items].isfinite() & gradient[items].isfinite().flatten(1).all(dim=1)
        fine = [item for item, is_fine in zip(items, finite.tolist(), strict=True) if is_fine]
        skipped[sorted(set(items) - set(fine))] = True
        if fine:
            update = step_size * direct(fine, gradient[fine], loss[fine])
            if longest is not None:
                update = update * (longest[fine].view(-1, 1, 1, 1) / _rms(update, floor=True)).clamp(max=1)
            latents[fine] -= update
        return fine

    if target is not None and max_refinements > 0:
        active = [item for item, is_above in enumerate((loss > target).tolist()) if is_above]
        while active:
            above = (loss > target).tolist()  # at the points that are left now
            active = step(active)
            refinements[active] += 1
            if not active:
                break
            loss[active], gradient[active] = look(active, latents[active])
            active = [item for item in active if above[item] and refinements[item] < max_refinements]
    if update and every:
        step(every)
    return Move(latents, first, refinements, skipped, tuple(every))


class Direction:
    """Turns gradients into directions by a step rule; or, as a control, forgets them.

    A random direction is as long as the one that it replaces, and comes from the seed of its image alone, so it does
    not depend on the rest of the batch.
    """

    def __init__(self, rule: Rule, kind: Literal["gradient", "random"], seeds: Sequence[int], steps: int = 1):
        self._rule = rule
        self._share = sqrt(2) / steps
        """How far a step of a run goes: noise and an image, both of unit variance, are sqrt(2) apart."""
        self._first: dict[int, Tensor] = {}
        self._generators = [stream("direction", seed) for seed in seeds] if kind == "random" else None

    def take_over(self, item: int, other: "Direction", index: int) -> None:
        """Go on with the scale of image `index` of another run in the place of `item`."""
        if index in other._first:
            self._first[item] = other._first[index]

    def __call__(self, items: Sequence[int], gradient: Latents, loss: PerItem) -> Latents:
        """Return the directions of `items`, whose gradients are `gradient` and whose losses are `loss`."""
        direction = gradient
        if self._rule in ("mean-square", "root"):
            direction = gradient * gradient[0].numel()
            if self._rule == "root":
                direction = direction * (self._share / _rms(direction, floor=True)).sqrt()
        elif self._rule == "rms":
            direction = gradient / _rms(gradient, floor=True)
        elif self._rule == "first":
            for item, scale in zip(items, _rms(gradient, floor=True), strict=True):
                self._first.setdefault(item, scale)
            direction = gradient / torch.stack([self._first[item] for item in items])
        elif self._rule == "polyak":
            squared = gradient.square().sum((1, 2, 3), keepdim=True)
            direction = gradient * (
                loss.clamp(min=0).view(-1, 1, 1, 1) / squared.clamp(min=torch.finfo(squared.dtype).tiny)
            )
        if self._generators is None:
            return direction
        draws = [torch.randn(gradient.shape[1:], generator=self._generators[item]) for item in items]
        noise = torch.stack(draws).to(gradient)
        return noise / _rms(noise, floor=True) * _rms(direction)


def stream(purpose: str, seed: int) -> torch.Generator:
    """Return a stream of random numbers of an image's own, one for each purpose.

    Not the stream of the seed itself: an image's noise is often drawn from the same seed and has the same shape, so the
    first direction would be that noise.
    """
    digest = hashlib.sha256(f"{purpose} {seed}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big", signed=True))


def length(values: Latents) -> PerItem:
    """Return the root mean square of each item."""
    return _rms(values).flatten()


def _rms(values: Latents, floor: bool = False) -> Float[Tensor, "batch 1 1 1"]:
    """Return the root mean square of each item; with `floor`, never a zero to divide by."""
    rms = values.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return rms.clamp(min=torch.finfo(rms.dtype).tiny) if floor else rms
