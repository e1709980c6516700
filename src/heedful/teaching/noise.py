"""From which noise a denoiser learns: that of a diffusion, or that of a flow; every random number is the caller's."""

from typing import Any, Literal, Protocol, runtime_checkable

import torch
from diffusers import DDPMScheduler
from jaxtyping import Shaped
from torch import Tensor

from heedful.errors import UnsupportedPipeline
from heedful.shapes import Latents

Times = Shaped[Tensor, "batch"]
"""The scheduler's timestep of each row: whole numbers for a diffusion."""
Kind = Literal["diffusion", "flow"]


@runtime_checkable
class Noise(Protocol):
    """A noise process."""

    def draw(self, count: int, generator: torch.Generator) -> Times:
        """Return random timesteps."""
        ...

    def at(self, share: float) -> Times:
        """Return the one timestep at a share of the schedule, in [0, 1]."""
        ...

    def add(self, latents: Latents, noise: Latents, times: Times) -> Latents:
        """Return latents under noise."""
        ...

    def target(self, latents: Latents, noise: Latents, times: Times) -> Latents:
        """Return what the denoiser should predict."""
        ...


def noise_of(pipe: Any, kind: Kind) -> Noise:
    """Return the noise process of a pipeline; raises `UnsupportedPipeline` for another kind of prediction."""
    return Diffusion(pipe.scheduler.config) if kind == "diffusion" else Flow(pipe.scheduler.config)


class Diffusion:
    """Noise is added by a schedule of variances (Ho et al. 2020), at timesteps that are all equally likely.

    The target is the noise, the velocity or the image, as the model was made.
    """

    def __init__(self, config: Any):
        self._scheduler: Any = DDPMScheduler.from_config(config)
        self._steps = int(self._scheduler.config["num_train_timesteps"])
        self._kind = self._scheduler.config["prediction_type"]
        if self._kind not in ("epsilon", "v_prediction", "sample"):
            raise UnsupportedPipeline(
                "Expected a denoiser that predicts noise, velocity or the image, got "
                f"prediction_type={self._kind!r}. Look whether its scheduler is the one that it came with."
            )

    def draw(self, count: int, generator: torch.Generator) -> Times:
        """Return random timesteps, whole numbers."""
        return torch.randint(self._steps, (count,), generator=generator)

    def at(self, share: float) -> Times:
        """Return the one timestep at a share of the schedule."""
        return torch.tensor([int(share * self._steps)])

    def add(self, latents: Latents, noise: Latents, times: Times) -> Latents:
        """Return latents under noise."""
        return self._scheduler.add_noise(latents, noise, times)

    def target(self, latents: Latents, noise: Latents, times: Times) -> Latents:
        """Return what the denoiser should predict."""
        if self._kind == "epsilon":
            return noise
        return self._scheduler.get_velocity(latents, noise, times) if self._kind == "v_prediction" else latents


class Flow:
    """Latents go to noise on a straight line, and the target is the way along it, noise - latents (Liu et al. 2023).

    The share of noise is the logistic function of a normal number, so that the middle is seen most (Esser et al. 2024,
    section 3.1), moved by the scheduler's shift where that is a number; where it depends on the resolution, as in
    FLUX.1, it is left as it is, as in diffusers' training scripts.
    """

    def __init__(self, config: Any):
        self._steps = int(config["num_train_timesteps"])
        self._shift = 1.0 if config.get("use_dynamic_shifting", False) else float(config.get("shift", 1.0))

    def draw(self, count: int, generator: torch.Generator) -> Times:
        """Return random timesteps."""
        return self._shifted(torch.randn(count, generator=generator).sigmoid()) * self._steps

    def at(self, share: float) -> Times:
        """Return the one timestep with this share of noise."""
        return torch.tensor([share * self._steps])

    def add(self, latents: Latents, noise: Latents, times: Times) -> Latents:
        """Return latents under noise."""
        share = (times / self._steps).view(-1, 1, 1, 1)
        return (1 - share) * latents + share * noise

    def target(self, latents: Latents, noise: Latents, times: Times) -> Latents:
        """Return the way from the latents to the noise."""
        return noise - latents

    def _shifted(self, share: Tensor) -> Tensor:
        return self._shift * share / (1 + (self._shift - 1) * share)
