"""Sana Sprint: a denoiser of flow matching under a scheduler of TrigFlow, and what lies between the two.

The scheduler's latents are y = d (cos(t) x0 + sin(t) e), d being `sigma_data` (Lu and Song 2024, arXiv 2410.11081). The
denoiser sees x = (1 - s) x0 + s e = y / (d (cos(t) + sin(t))) at the time s = sin(t) / (cos(t) + sin(t)), and predicts
v = e - x0. The pipeline makes of it what the scheduler takes (Chen et al. 2025, arXiv 2503.09641),

    F = d ((cos(t) - sin(t)) x + v / (cos(t) + sin(t))),

from latents of its own: if they are moved, F is moved with them. diffusers uses this scheduler for nothing else.
"""

from math import atan2, cos, sin
from typing import Any

from torch import Tensor, nn

from heedful.attention import layout_of
from heedful.errors import UnsupportedScheduler


def is_trigflow(scheduler: Any) -> bool:
    """Return whether a scheduler is that of Sana Sprint."""
    return any(kind.__name__ == "SCMScheduler" for kind in type(scheduler).__mro__)


def check_denoiser(scheduler: Any, denoiser: nn.Module) -> None:
    """Raise `UnsupportedScheduler` if the scheduler of Sana Sprint has another denoiser than Sana's."""
    if is_trigflow(scheduler) and "SanaTransformer2DModel" not in layout_of(denoiser).denoisers:
        raise UnsupportedScheduler(
            f"Expected the denoiser of Sana Sprint under {type(scheduler).__name__}, got {type(denoiser).__name__}: "
            "what lies between the two is known for that one alone. Set another scheduler, or use SanaSprintPipeline."
        )


def angle(time: float) -> float:
    """Return t for the time s that the denoiser is told, in [0, 1]."""
    return atan2(time, 1 - time)


def input_scale(scheduler: Any, t: float) -> float:
    """Return what the pipeline multiplies the scheduler's latents by before the denoiser sees them."""
    return 1 / (scheduler.config.sigma_data * (cos(t) + sin(t)))


def for_scheduler(scheduler: Any, t: float, latents: Tensor, predicted: Tensor) -> Tensor:
    """Return F, which the scheduler takes, for `latents` as the denoiser saw them and what it `predicted` there."""
    return scheduler.config.sigma_data * ((cos(t) - sin(t)) * latents + predicted / (cos(t) + sin(t)))


def moved(arguments: dict[str, Any], update: Tensor) -> Tensor:
    """Return the F in the `arguments` of the scheduler's step as it is after an `update` of its latents."""
    t = float(arguments["timestep"].flatten()[0])
    output: Tensor = arguments["model_output"]
    return (output.to(update.dtype) + (cos(t) - sin(t)) / (cos(t) + sin(t)) * update).to(output.dtype)
