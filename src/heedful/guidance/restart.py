"""Images that begin again: another noise for those whose maps foretell, after a few steps, that they will fail.

Knows when, and how the steps so far are made again with other latents. Knows no loss and no denoiser: whoever calls
passes `predict`. The rest of the batch goes on as if nothing had happened.
"""

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from heedful.errors import SettingsError
from heedful.losses import AnyLoss


@dataclass(frozen=True, kw_only=True)
class Restart:
    """An image whose loss is above `limit` when step `step` begins is begun again with another noise.

    Its steps so far are made again, guided as before, for each of at most `tries` other noises, until the loss is no
    longer above the limit; the noise with the least loss goes on. The loss is read from the pass that predicted the
    noise of the step before, so looking costs nothing; each noise tried costs half of `step` steps of that image,
    because they are made with the condition alone: classifier-free guidance has little to say where nearly all is
    noise (Kynkäänniemi et al. 2024, arXiv 2404.07724).

    Raises `SettingsError` for numbers that are not possible.
    """

    step: float | int = 0.15
    """Share of the run after which the question is asked: 0.2 is step 10 of 50."""
    limit: float = 0.43
    tries: int = 2
    loss: AnyLoss | None = None
    """What foretells a failure; None for the method's own loss."""

    def __post_init__(self) -> None:
        if self.tries < 1 or not 0 < self.step <= 1:
            raise SettingsError(
                f"Expected a restart after a share of the run in (0, 1] and at least one try, got {self}. "
                "Use restart=None for none."
            )


class Past:
    """The steps of a run so far, so that they can be made again from other latents."""

    def __init__(self, scheduler: Any):
        self._scheduler = twin(scheduler)
        self._steps: list[tuple[Any, dict[str, Any]]] = []
        """Of each step, the timestep as the denoiser was told it, and the arguments of `scheduler.step`."""

    @property
    def scheduler(self) -> Any:
        """A scheduler of its own, in the state in which the run began."""
        return twin(self._scheduler)

    def append(self, told: Any, arguments: dict[str, Any]) -> None:
        """Remember a step: the timestep as the denoiser was told it, and the arguments of `scheduler.step`."""
        own = ("model_output", "sample", "generator")
        self._steps.append((told, {name: arguments[name] for name in arguments if name not in own}))

    def repeat(
        self,
        scheduler: Any,
        noise: Tensor,
        generators: list[torch.Generator],
        predict: Callable[[Any, Tensor], tuple[Tensor, Tensor | None]],
    ) -> Tensor:
        """Make the steps so far again from `noise`, of variance 1; return the latents as the scheduler sees them.

        They are made with the condition alone.

        `predict(told, latents)` returns the denoiser's prediction at a timestep for latents as the denoiser sees them,
        and the update that belongs to it, as the scheduler sees it. Schedulers that add noise draw it from
        `generators`, one per image.
        """
        draws = "generator" in inspect.signature(scheduler.step).parameters
        latents = noise * float(getattr(scheduler, "init_noise_sigma", 1.0))  # flow matching has neither
        scale = getattr(scheduler, "scale_model_input", None)
        for told, arguments in self._steps:
            scaled = latents if scale is None else scale(latents, arguments["timestep"])
            prediction, update = predict(told, scaled)
            start = latents if update is None else (latents.to(update.dtype) + update).to(latents.dtype)
            extra = {"generator": generators} if draws else {}
            stepped = scheduler.step(prediction, sample=start, **arguments, **extra)
            latents = stepped[0] if isinstance(stepped, tuple) else stepped.prev_sample
        return latents


def twin(scheduler: Any) -> Any:
    """Return a scheduler in the same state, with a memory of its own, and without what `guide` replaced in it."""
    other = copy.copy(scheduler)
    other.__dict__ = {
        name: list(value) if isinstance(value, list) else value
        for name, value in scheduler.__dict__.items()
        if name not in ("step", "set_timesteps")
    }
    return other


def graft(source: Any, index: int, target: Any, item: int) -> None:
    """Replace what a scheduler remembers of image `item` by what another remembers of its image `index`."""
    for name, theirs in source.__dict__.items():
        mine = target.__dict__.get(name)
        pairs = [(theirs, mine)] if isinstance(theirs, Tensor) else []
        if isinstance(theirs, list) and isinstance(mine, list):
            pairs = list(zip(theirs, mine, strict=False))
        for new, old in pairs:
            if isinstance(new, Tensor) and isinstance(old, Tensor) and new.ndim == 4:
                old[item] = new[index]
