"""What a scheduler remembers of a run, and the steps so far, so that they can be made once more from another noise."""

import copy
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from heedful.steering import trigflow
from heedful.steering.call import Call

Commit = Callable[[Any, dict[str, Any]], dict[str, Any]]
"""(scheduler, arguments of its step) -> the arguments with an update in them."""

Predict = Callable[..., Any]
"""(call, run) -> the output of the denoiser that made a step."""


class Past:
    """The steps of a run so far, for making them once more from other latents."""

    def __init__(self, scheduler: Any):
        self._scheduler = twin(scheduler)
        self._steps: list[tuple[Any, dict[str, Any], Predict | None]] = []
        """For each step, the timestep as the denoiser got it, the arguments of `scheduler.step`, and what predicted."""

    @property
    def scheduler(self) -> Any:
        """A scheduler of its own, in the state in which the run began."""
        return twin(self._scheduler)

    def append(self, timestep: Any, arguments: dict[str, Any], predict: Predict | None) -> None:
        """Remember a step: the timestep as the denoiser got it, the arguments of `scheduler.step`, what predicted."""
        own = ("model_output", "sample", "generator")
        self._steps.append((timestep, {name: arguments[name] for name in arguments if name not in own}, predict))

    def repeat(
        self,
        scheduler: Any,
        noise: Tensor,
        generators: list[torch.Generator],
        predict: Callable[[Any, Tensor, Any], tuple[Tensor, Commit]],
    ) -> Tensor:
        """Make the steps so far once more from `noise`, of variance 1; return the latents as the scheduler sees them.

        They are made with the condition alone.

        `predict(timestep, latents, by)` returns the prediction, by the denoiser that made the step, at a timestep for
        latents as it sees them, and what puts the update that belongs to it into the arguments of the scheduler's step.
        Schedulers that add noise draw it from `generators`, one per image.
        """
        draws = "generator" in inspect.signature(scheduler.step).parameters
        latents = noise * float(getattr(scheduler, "init_noise_sigma", 1.0))  # flow matching has neither
        if trigflow.is_trigflow(scheduler):
            latents = latents * scheduler.config.sigma_data
        for timestep, arguments, by in self._steps:
            scaled = _as_input(scheduler, latents, arguments["timestep"])
            prediction, commit = predict(timestep, scaled, by)
            extra = {"generator": generators} if draws else {}
            own = {"model_output": prediction, "sample": latents}
            stepped = scheduler.step(**commit(scheduler, own | arguments), **extra)
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
            if isinstance(new, Tensor) and isinstance(old, Tensor) and new.ndim > 2:  # packed latents have three
                old[item] = new[index]


def input_scale(call: Call, scheduler: Any) -> float:
    """Return what the scheduler's latents are multiplied by before the denoiser sees them: 1 / sqrt(sigma^2 + 1) or 1.

    The pipeline has just done the same for its latents, so asking again changes nothing in the scheduler.
    """
    time = trigflow.angle(call.timestep) if trigflow.is_trigflow(scheduler) else call.time
    return float(_as_input(scheduler, call.latents.new_ones(1), time))


def _as_input(scheduler: Any, latents: Tensor, timestep: Any) -> Tensor:
    """Return the scheduler's `latents` as the denoiser sees them."""
    if trigflow.is_trigflow(scheduler):
        first = float(timestep.flatten()[0]) if isinstance(timestep, Tensor) else timestep
        return latents * trigflow.input_scale(scheduler, first)
    scale = getattr(scheduler, "scale_model_input", None)
    return latents if scale is None else scale(latents, timestep)
