"""What is asked of a pipeline, a method and its settings before anything is touched."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from heedful.attention import find_denoiser, find_denoisers, layout_of, uncompiled
from heedful.errors import SettingsError, UnsupportedPipeline
from heedful.steering.batching import check_rows
from heedful.steering.checks import check_hooks, check_streams, check_weights
from heedful.steering.method import Method
from heedful.steering.policy import Policy, policy_of
from heedful.steering.settings import Settings
from heedful.steering.trigflow import check_denoiser


def denoiser_of(pipe: object) -> nn.Module:
    """Return the denoiser of a pipeline; raises `UnsupportedPipeline` if it has none that heedful can read."""
    denoiser = find_denoiser(pipe)
    if denoiser is None or getattr(pipe, "scheduler", None) is None:
        raise UnsupportedPipeline(
            f"Expected a diffusers pipeline with a denoiser and a scheduler, got {type(pipe).__name__}."
        )
    if not layout_of(denoiser).find_sites(uncompiled(denoiser)):
        raise UnsupportedPipeline(
            f"Expected a denoiser that looks at text in attention of its own, got the {type(denoiser).__name__} of "
            f"{type(pipe).__name__}, which has no such attention. Use a pipeline of docs/pipelines.md."
        )
    check_rows(pipe)
    for one in find_denoisers(pipe):
        check_hooks(one)
    return denoiser


def admit(denoisers: Sequence[nn.Module], scheduler: Any, method: Method, settings: Settings) -> Policy | None:
    """Return at which steps the scheduler keeps an update; None if the method moves nothing.

    `denoisers` are those that take turns, the first one first. Raises `SettingsError` if method and settings do not go
    together, `UnsupportedScheduler`, and `PipelineError` or `UnsupportedPipeline` if a denoiser's weights can take no
    part in a gradient pass that is needed.
    """
    if settings.key_shift is not None:
        settings.key_shift.check(denoisers[0])
        if method.loss is not None:
            raise SettingsError(
                f"Expected a method without a loss where keys are moved, got {method.name!r}: its maps would be of "
                "other keys. Pass settings with key_shift=None, or a method whose loss is None."
            )
    if method.loss is None and settings.initial_noise is None and settings.selection is None:
        return None
    policy = policy_of(scheduler, settings.scheme)
    for denoiser in denoisers:
        check_denoiser(scheduler, denoiser)
        if settings.needs_gradient:
            check_weights(denoiser)
            check_streams(denoiser)
    return policy
