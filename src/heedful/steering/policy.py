"""Which schedulers keep an update of the latents, and at which of their steps.

Schedulers are known by the names of their classes. Some remember the latents of an earlier call and go on from there,
so an update that is passed to `step` is lost; this was measured on each.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from heedful.errors import UnsupportedScheduler
from heedful.steering.levels import INTERVALS
from heedful.steering.settings import Scheme


@dataclass(frozen=True)
class Policy:
    """What one family of schedulers does with an update."""

    schedulers: tuple[str, ...]
    """Names of classes."""
    keeps_update: Callable[[Any], bool]
    """Whether the next call of this scheduler's `step` keeps an update."""
    reason: str
    """What it does with updates."""


def _always(scheduler: Any) -> bool:
    return True


def _in_first_order(scheduler: Any) -> bool:
    return bool(scheduler.state_in_first_order)


def _not_repeated(scheduler: Any) -> bool:
    return scheduler.counter != 1


POLICIES = (
    Policy(
        (
            "DDIMParallelScheduler",
            "DDIMScheduler",
            "DDPMParallelScheduler",
            "DDPMScheduler",
            "DEISMultistepScheduler",
            "DPMSolverMultistepScheduler",
            "DPMSolverSDEScheduler",
            "EDMDPMSolverMultistepScheduler",
            "EDMEulerScheduler",
            "EulerAncestralDiscreteScheduler",
            "EulerDiscreteScheduler",
            "FlowMatchEulerDiscreteScheduler",
            "FlowMatchLCMScheduler",
            "LCMScheduler",
            "LMSDiscreteScheduler",
            "SCMScheduler",
            "TCDScheduler",
        ),
        _always,
        "steps from the latents that it is given",
    ),
    Policy(
        (
            "FlowMatchHeunDiscreteScheduler",
            "HeunDiscreteScheduler",
            "KDPM2AncestralDiscreteScheduler",
            "KDPM2DiscreteScheduler",
        ),
        _in_first_order,
        "goes back to the latents of the first half-step in the second, which is therefore not guided",
    ),
    Policy(
        ("PNDMScheduler",),
        _not_repeated,
        "repeats its second timestep from the latents of the first, which is therefore not guided",
    ),
)

_LOSES: dict[str, str] = {
    "UniPCMultistepScheduler": "its corrector rewrites the latents from those of the step before",
    "SASolverScheduler": "its corrector rewrites the latents from those of the step before",
    "DPMSolverSinglestepScheduler": "it starts each group of steps again from latents that it remembers",
}
_NEVER: dict[str, str] = {
    "IPNDMScheduler": "its timesteps go from 1 to 0, which no text-to-image denoiser of diffusers is trained with, and "
    "its first step makes nothing of the prediction"
}
REFUSED: dict[Scheme, dict[str, str]] = {
    "exact": _LOSES | _NEVER,
    "one-pass": _LOSES | _NEVER,
    "prediction": _NEVER,
    "select": _NEVER,
}
"""For each scheme, schedulers that are known not to serve it, and why."""

TOLD = Policy(tuple(INTERVALS), _always, "takes the update in the prediction, from which it makes its step")
"""Every scheduler whose noise levels are known, under the scheme "prediction"."""

CHOSEN = Policy(TOLD.schedulers, _always, "goes on from another noise with what it would remember of that noise")
"""The same schedulers, under the scheme "select"."""

_ANOTHER = (
    "Choose another before guiding, for example: pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)."
)
_REMEDY = f'Pass settings with scheme="prediction", which it cannot lose. {_ANOTHER}'


def policy_of(scheduler: Any, scheme: Scheme = "exact") -> Policy:
    """Return what `scheduler` does with updates of a scheme.

    Raises `UnsupportedScheduler` if it loses them or is not known.
    """
    name = type(scheduler).__name__
    names = {kind.__name__ for kind in type(scheduler).__mro__}  # a subclass keeps the policy of its base
    refused = next((why for kind, why in REFUSED[scheme].items() if kind in names), None)
    is_in_latents = scheme in ("exact", "one-pass")
    if refused is None and is_in_latents and "PNDMScheduler" in names and not scheduler.config.skip_prk_steps:
        refused = "its Runge-Kutta steps go back to latents that it remembers (skip_prk_steps=True turns them off)"
    if refused is not None:
        raise UnsupportedScheduler(
            f'Expected a scheduler that serves the scheme "{scheme}", got {name}: {refused}. '
            + (_ANOTHER if names.intersection(_NEVER) else _REMEDY)
        )
    policies = POLICIES if is_in_latents else (TOLD,) if scheme == "prediction" else (CHOSEN,)
    for policy in policies:
        if names.intersection(policy.schedulers):
            return policy
    raise UnsupportedScheduler(
        f'Expected a scheduler of which it is known that it serves the scheme "{scheme}", got {name}, which nobody has '
        f"measured. {_ANOTHER}"
    )
