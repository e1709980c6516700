"""What a loss is, and how losses add up.

A loss is a frozen object without a model, an optimiser or a memory: `loss(maps, prompts, previous)` is one number per
item. Any callable with these arguments works wherever a loss is asked for; this class adds `*`, `+` and citations.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from heedful.attention import Maps
from heedful.prompts import Prompt
from heedful.shapes import PerItem

AnyLoss = Callable[[Maps, Sequence[Prompt], Maps | None], Tensor]
"""A `Loss`, or any function of (maps, one prompt per item, maps of the step before) that returns (batch,)."""


class Loss(ABC):
    """A differentiable number per item that is small when the concepts are attended to.

    Subclasses are frozen dataclasses, whose fields are the choices that they leave open. Losses add up:
    `1.0 * Segregation() + 0.5 * Retention()`.
    """

    citations: tuple[str, ...] = ()
    """Keys of the papers behind it, for `heedful.cite`."""

    @property
    def needs_self_attention(self) -> bool:
        """Whether it reads `maps.self_attention`, which costs something; `previous` has none in any case."""
        return False

    @abstractmethod
    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return one value per item; item i depends on `maps[i]`, `prompts[i]` and `previous[i]` alone.

        `previous` are the maps of the step before, or None at the first step; no gradient flows into them.
        """

    def at(self, share: float) -> "Loss":
        """Return the loss that is followed after a share of the run, in [0, 1); most are the same throughout."""
        return self

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return why this loss is zero for `prompt` whatever the maps; empty if it is not."""
        return () if prompt.concepts else (f"{type(self).__name__} needs a concept, and {prompt.text!r} has none.",)

    def __mul__(self, weight: float | int) -> "Loss":
        return Weighted(float(weight), self)

    def __rmul__(self, weight: float | int) -> "Loss":
        return self * weight

    def __add__(self, other: AnyLoss) -> "Total":
        return Total((*parts_of(self), *parts_of(other)))

    def __radd__(self, other: AnyLoss) -> "Total":
        return Total((*parts_of(other), *parts_of(self)))


@dataclass(frozen=True)
class Weighted(Loss):
    """`weight * loss`."""

    weight: float
    loss: AnyLoss

    @property
    def citations(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Keys of the papers behind it."""
        return citations_of(self.loss)

    @property
    def needs_self_attention(self) -> bool:
        """Whether the loss does."""
        return needs_self_attention(self.loss)

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return the weighted loss of each item."""
        return self.weight * self.loss(maps, prompts, previous)

    def at(self, share: float) -> Loss:
        """Return the same weight of the loss that is followed then."""
        return Weighted(self.weight, loss_at(self.loss, share))

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return why the loss is zero for `prompt`."""
        return _idle_for(self.loss, prompt)


@dataclass(frozen=True)
class Total(Loss):
    """The sum of several losses."""

    losses: tuple[AnyLoss, ...]

    @property
    def citations(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Keys of the papers behind it, each once."""
        return tuple(dict.fromkeys(key for loss in self.losses for key in citations_of(loss)))

    @property
    def needs_self_attention(self) -> bool:
        """Whether any of them does."""
        return any(needs_self_attention(loss) for loss in self.losses)

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return the sum of the losses of each item."""
        values = (loss(maps, prompts, previous) for loss in self.losses)
        return sum(values, start=maps.tokens.new_zeros(len(maps)))

    def at(self, share: float) -> Loss:
        """Return the sum of those that are followed then."""
        return Total(tuple(loss_at(loss, share) for loss in self.losses))

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return which terms are zero for `prompt`, and why."""
        return tuple(reason for loss in self.losses for reason in _idle_for(loss, prompt))


@dataclass(frozen=True, kw_only=True)
class Handover(Loss):
    """(1 - s) first + s last, after a share s of the run; the first alone where nobody says how far the run is."""

    first: Loss
    last: Loss

    @property
    def citations(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Keys of the papers behind both."""
        return Total((self.first, self.last)).citations

    @property
    def needs_self_attention(self) -> bool:
        """Whether either does."""
        return self.first.needs_self_attention or self.last.needs_self_attention

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return the first loss of each item."""
        return self.first(maps, prompts, previous)

    def at(self, share: float) -> Loss:
        """Return the weighted sum."""
        return (1 - share) * self.first.at(share) + share * self.last.at(share)

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return which of both is zero for `prompt`, and why."""
        return Total((self.first, self.last)).idle_for(prompt)


def loss_at(loss: AnyLoss, share: float) -> AnyLoss:
    """Return the loss that is followed after a share of the run; a function of your own is the same throughout."""
    return loss.at(share) if isinstance(loss, Loss) else loss


def parts_of(loss: AnyLoss) -> tuple[AnyLoss, ...]:
    """Return the terms of a sum, or the loss itself as the only one."""
    return loss.losses if isinstance(loss, Total) else (loss,)


def citations_of(loss: object) -> tuple[str, ...]:
    """Return the keys of the papers behind a loss; a function of your own has none."""
    return getattr(loss, "citations", ())


def needs_self_attention(loss: object) -> bool:
    """Return whether a loss reads self-attention; a function of your own says so by an attribute of this name."""
    return bool(getattr(loss, "needs_self_attention", False))


def _idle_for(loss: AnyLoss, prompt: Prompt) -> tuple[str, ...]:
    return loss.idle_for(prompt) if isinstance(loss, Loss) else ()
