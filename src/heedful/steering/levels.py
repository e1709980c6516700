"""How much noise a scheduler's next step begins and ends with, and how much of it is new.

Read from the tables that each scheduler holds; nothing in it changes. Schedulers are known by the names of their
classes, and each reading is measured against the scheduler's own steps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, sin
from typing import Any, Literal


@dataclass(frozen=True)
class Level:
    """Latents are alpha x0 + sigma noise, x0 being the image and the noise of variance 1."""

    alpha: float
    sigma: float

    @property
    def ratio(self) -> float:
        """The noise per image: sigma / alpha."""
        return self.sigma / self.alpha if self.alpha else float("inf")


@dataclass(frozen=True)
class Interval:
    """What one call of a scheduler's `step` goes along. Two calls of one interval go along it together."""

    start: Level
    end: Level
    kept: float = 1.0
    """The share of the noise at its end that is the noise of its start; the rest is drawn anew."""


Arguments = dict[str, Any]
"""Those of the call of `step`, by name."""

Prediction = Literal["epsilon", "v_prediction", "sample", "flow_prediction", "edm", "trigflow"]
"""What a denoiser predicts, in the words of diffusers; "edm": the network of Karras et al. 2022 (arXiv 2206.00364);
"trigflow": that of Sana Sprint (`steering.trigflow`)."""


def interval_of(scheduler: Any, arguments: Arguments) -> Interval:
    """Return the interval of the next call of `scheduler.step`, whose arguments are known."""
    names = (kind.__name__ for kind in type(scheduler).__mro__)
    return next(INTERVALS[name] for name in names if name in INTERVALS)(scheduler, arguments)


def prediction_of(scheduler: Any) -> Prediction:
    """Return what `scheduler` takes its model's output for."""
    names = {kind.__name__ for kind in type(scheduler).__mro__}
    if names.intersection(("EDMEulerScheduler", "EDMDPMSolverMultistepScheduler")):
        return "edm"
    if any(name.startswith("FlowMatch") for name in names):  # whatever a configuration that was not made for it says
        return "flow_prediction"
    return scheduler.config.prediction_type


# ---- where the levels are


def _index(scheduler: Any, arguments: Arguments) -> int:
    """Return which of its timesteps a scheduler is at; before its first step it says so in another way."""
    for index in (scheduler.step_index, scheduler.begin_index):
        if index is not None:
            return int(index)
    return int(scheduler.index_for_timestep(arguments["timestep"]))


def _sigmas(scheduler: Any, arguments: Arguments) -> tuple[float, float]:
    """Return the scheduler's own number for the level at the start and at the end.

    Two halves of a step have the same.
    """
    index = _index(scheduler, arguments)
    if not getattr(scheduler, "state_in_first_order", True):
        index -= 1
    return float(scheduler.sigmas[index]), float(scheduler.sigmas[index + 1])


def _exploding(scheduler: Any, arguments: Arguments) -> Interval:
    """Latents are x0 + sigma noise."""
    start, end = _sigmas(scheduler, arguments)
    return Interval(Level(1.0, start), Level(1.0, end))


def _preserving(scheduler: Any, arguments: Arguments) -> Interval:
    """The scheduler's number is sigma / alpha, and alpha^2 + sigma^2 = 1; or its latents are those of flow matching."""
    if scheduler.config.get("use_flow_sigmas", False):
        return _flowing(scheduler, arguments)
    start, end = (
        Level(1 / (1 + sigma**2) ** 0.5, sigma / (1 + sigma**2) ** 0.5) for sigma in _sigmas(scheduler, arguments)
    )
    return Interval(start, end)


def _flowing(scheduler: Any, arguments: Arguments) -> Interval:
    """Latents are (1 - sigma) x0 + sigma noise."""
    start, end = _sigmas(scheduler, arguments)
    return Interval(Level(1 - start, start), Level(1 - end, end))


def _turning(scheduler: Any, arguments: Arguments) -> Interval:
    """TrigFlow: timesteps are angles, and latents are cos(t) x0 + sin(t) noise, all times the deviation of the data."""
    index = _index(scheduler, arguments)
    start, end = (Level(cos(t), sin(t)) for t in scheduler.timesteps[index : index + 2].tolist())
    return Interval(start, end)


def _at(scheduler: Any, timestep: int) -> Level:
    """Return the level at a timestep of a table of squared alphas; below zero there is the one at the very end."""
    last = getattr(scheduler, "final_alpha_cumprod", 1.0)  # DDPM ends without noise
    squared = float(scheduler.alphas_cumprod[timestep] if timestep >= 0 else last)
    return Level(squared**0.5, (1 - squared) ** 0.5)


def _stride(scheduler: Any) -> int:
    return scheduler.config.num_train_timesteps // scheduler.num_inference_steps


def _tabled(scheduler: Any, arguments: Arguments) -> Interval:
    """From a timestep to the one that is a stride earlier, whatever the next of the list is."""
    timestep = int(arguments["timestep"])
    return Interval(_at(scheduler, timestep), _at(scheduler, timestep - _stride(scheduler)))


def _listed(scheduler: Any, arguments: Arguments) -> Interval:
    """From a timestep to the next of the list, and from the last to the image."""
    timesteps = [int(timestep) for timestep in scheduler.timesteps]
    index = timesteps.index(int(arguments["timestep"]))
    end = _at(scheduler, timesteps[index + 1]) if index + 1 < len(timesteps) else Level(1.0, 0.0)
    return Interval(_at(scheduler, timesteps[index]), end)


def _repeating(scheduler: Any, arguments: Arguments) -> Interval:
    """PNDM: four calls go along each of the first intervals, or two along the very first; then one along each."""
    timestep, call, stride = int(arguments["timestep"]), scheduler.counter, _stride(scheduler)
    if not scheduler.config.skip_prk_steps and call < len(scheduler.prk_timesteps):
        timestep = int(scheduler.prk_timesteps[call // 4 * 4])
    elif scheduler.config.skip_prk_steps and call == 1:
        timestep += stride
    return Interval(_at(scheduler, timestep), _at(scheduler, timestep - stride))


# ---- how much of the noise is new


def kept_share(start: Level, end: Level, eta: float) -> float:
    """Return the share of the noise that is kept: sqrt(1 - eta^2 (1 - (s'/s)^2)), s = sigma / alpha.

    `eta` is DDIM's: 0 draws no noise, 1 as much as DDPM and the ancestral samplers. It is the same in the latents of
    every scheduler, because a common factor of alpha and sigma drops out.
    """
    return max(1 - eta**2 * (1 - (end.ratio / start.ratio) ** 2), 0.0) ** 0.5


def _drawing(interval: Callable[[Any, Arguments], Interval], eta: Callable[[Any, Arguments], float]) -> Any:
    """Return `interval` with the noise that a scheduler draws."""

    def drawn(scheduler: Any, arguments: Arguments) -> Interval:
        found = interval(scheduler, arguments)
        return Interval(found.start, found.end, kept_share(found.start, found.end, eta(scheduler, arguments)))

    return drawn


def _asked_for(scheduler: Any, arguments: Arguments) -> float:
    return float(arguments.get("eta", 0.0))


def _always(scheduler: Any, arguments: Arguments) -> float:
    return 1.0


def _as_configured(scheduler: Any, arguments: Arguments) -> float:
    return float(scheduler.config.algorithm_type.startswith("sde"))


def _renewed(interval: Callable[[Any, Arguments], Interval]) -> Any:
    """Return `interval` with noise that is drawn anew altogether, as consistency models do."""

    def drawn(scheduler: Any, arguments: Arguments) -> Interval:
        found = interval(scheduler, arguments)
        return Interval(found.start, found.end, 0.0)

    return drawn


def _flowing_or_renewed(scheduler: Any, arguments: Arguments) -> Interval:
    """Flow matching by Euler's method, which draws noise if it is configured so."""
    found = _flowing(scheduler, arguments)
    return Interval(found.start, found.end, 0.0 if scheduler.config.stochastic_sampling else 1.0)


def _trajectory(scheduler: Any, arguments: Arguments) -> Interval:
    """TCD goes down to a share of the next timestep and adds noise from there (Zheng et al. 2024, arXiv 2402.19159)."""
    found = _listed(scheduler, arguments)
    timesteps = [int(timestep) for timestep in scheduler.timesteps]
    following = timesteps[timesteps.index(int(arguments["timestep"])) + 1 :]
    under = _at(scheduler, int((1 - arguments.get("eta", 0.3)) * following[0]) if following else 0)
    if not following:
        return Interval(found.start, under)
    end = found.end
    return Interval(found.start, end, under.ratio * end.alpha / end.sigma)


def _stochastic_adams(scheduler: Any, arguments: Arguments) -> Interval:
    """SA-Solver: the noise of its own function of time (Xue et al. 2023, arXiv 2309.05019)."""
    found = _preserving(scheduler, arguments)
    strength = float(scheduler.tau_func(arguments["timestep"]))
    return Interval(found.start, found.end, (found.end.ratio / found.start.ratio) ** (strength**2))


INTERVALS: dict[str, Callable[[Any, Arguments], Interval]] = {
    "DDIMParallelScheduler": _drawing(_tabled, _asked_for),
    "DDIMScheduler": _drawing(_tabled, _asked_for),
    "DDPMParallelScheduler": _drawing(_listed, _always),
    "DDPMScheduler": _drawing(_listed, _always),
    "DEISMultistepScheduler": _preserving,
    "DPMSolverMultistepScheduler": _drawing(_preserving, _as_configured),
    "DPMSolverSDEScheduler": _drawing(_exploding, _always),
    "DPMSolverSinglestepScheduler": _drawing(_preserving, _as_configured),
    "EDMDPMSolverMultistepScheduler": _drawing(_exploding, _as_configured),
    "EDMEulerScheduler": _exploding,
    "EulerAncestralDiscreteScheduler": _drawing(_exploding, _always),
    "EulerDiscreteScheduler": _exploding,
    "FlowMatchEulerDiscreteScheduler": _flowing_or_renewed,
    "FlowMatchHeunDiscreteScheduler": _flowing,
    "FlowMatchLCMScheduler": _renewed(_flowing),
    "HeunDiscreteScheduler": _exploding,
    "KDPM2AncestralDiscreteScheduler": _drawing(_exploding, _always),
    "KDPM2DiscreteScheduler": _exploding,
    "LCMScheduler": _renewed(_listed),
    "LMSDiscreteScheduler": _exploding,
    "PNDMScheduler": _repeating,
    "SASolverScheduler": _stochastic_adams,
    "SCMScheduler": _renewed(_turning),
    "TCDScheduler": _trajectory,
    "UniPCMultistepScheduler": _preserving,
}
"""Schedulers whose levels can be read, and how."""
