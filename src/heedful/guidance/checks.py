"""What is checked of a pipeline before it is guided: its hooks, its weights, and that nothing else guides it."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from torch import nn

from heedful.attention import uncompiled
from heedful.errors import PipelineError, UnsupportedPipeline

_REASONS = {
    "group_offloading": "it takes the weights of each group away after use, and the way back needs them",
    "layerwise_casting": "it changes the precision of each weight after use, and the way back needs the weights",
}
_SKIPS = "it skips blocks in some passes, whose attention then cannot be read"


def check_hooks(denoiser: nn.Module) -> None:
    """Raise `UnsupportedPipeline` if a hook of diffusers or accelerate keeps `denoiser` from being read or steered."""
    for name, module in denoiser.named_modules():
        registry = getattr(module, "_diffusers_hook", None)
        for hook in getattr(registry, "hooks", {}):
            raise UnsupportedPipeline(
                f"Expected a denoiser that runs all of its blocks with their weights at hand, got the hook {hook!r} at "
                f"{name or 'its root'}: {_REASONS.get(hook, _SKIPS)}. Turn it off for guided runs: "
                "denoiser.disable_cache() for caches; load the pipeline without offloading by groups or layerwise "
                "casting, and use pipe.enable_model_cpu_offload() to save memory."
            )
        if name and _takes_weights_away(getattr(module, "_hf_hook", None)):
            raise UnsupportedPipeline(
                f"Expected a denoiser with its weights at hand, got one that is offloaded by modules ({name}): the way "
                "back needs weights that are gone by then. Use pipe.enable_model_cpu_offload() instead of "
                "enable_sequential_cpu_offload()."
            )


def check_weights(denoiser: nn.Module) -> None:
    """Raise `PipelineError` if the weights can take no part in a gradient pass."""
    if any(parameter.is_inference() for parameter in denoiser.parameters()):
        raise PipelineError(
            "Expected a denoiser whose weights can take part in a gradient pass, got one that was made under "
            "torch.inference_mode. Load the pipeline outside of it."
        )


_guided: set[int] = set()
"""Identities of the denoisers and schedulers that are guided at this moment."""
_lock = Lock()


@contextmanager
def guided_once(denoiser: nn.Module, scheduler: Any) -> Iterator[None]:
    """Let nothing else guide `denoiser` or `scheduler` while the block is open; raises `PipelineError` if it does."""
    parts = {id(uncompiled(denoiser)): "denoiser", id(scheduler): "scheduler"}
    with _lock:
        taken = [name for part, name in parts.items() if part in _guided]
        if taken:
            raise PipelineError(
                f"Expected a pipeline that nothing guides, but its {' and '.join(taken)} is already guided by another "
                "block of heedful.guide. Close that block first; for several methods at once, add their losses; for "
                "several threads, give each a pipeline with a denoiser and a scheduler of its own."
            )
        _guided.update(parts)
    try:
        yield
    finally:
        with _lock:
            _guided.difference_update(parts)


def _takes_weights_away(hook: Any) -> bool:
    """Return whether one of accelerate's hooks moves a module's weights away after each call."""
    return any(bool(getattr(one, "offload", False)) for one in [hook, *getattr(hook, "hooks", ())])
