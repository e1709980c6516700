"""What is checked of a pipeline before it is guided: its hooks, its weights, and that nothing else guides it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

from torch import nn

from heedful.attention import Parts, attribute, uncompiled
from heedful.errors import PipelineError, UnsupportedPipeline

_GROUPS = ("group_offloading", "layer_execution_tracker", "lazy_prefetch_group_offloading")
_CASTS = ("layerwise_casting", "peft_autocast_disable")
"""Hooks of diffusers that put other weights in the place of a module's after each use."""


def check_hooks(denoiser: nn.Module) -> None:
    """Raise `UnsupportedPipeline` if a hook of diffusers keeps blocks of `denoiser` from being run or read."""
    for name, module in denoiser.named_modules():
        for hook in _hooks(module):
            if hook not in _GROUPS + _CASTS:
                raise UnsupportedPipeline(
                    f"Expected a denoiser that runs all of its blocks, got the hook {hook!r} at {name or 'its root'}: "
                    "it skips blocks in some passes, whose attention then cannot be read. Turn it off for guided runs: "
                    "denoiser.disable_cache()."
                )


def takes_weights_away(parts: Parts) -> bool:
    """Return whether offloading or casting puts other weights in the place of those of a module after each use.

    Offloading of the first of `parts`, the whole, does so after all of them have been used.
    """
    return any(
        (part is not parts[0] and _offloads(attribute(part, "_hf_hook")))
        or any(hook in _GROUPS + _CASTS for hook in _hooks(part))
        for part in parts
    )


def brings_weights(block: nn.Module) -> bool:
    """Return whether offloading brings all weights of `block` when it is run by itself, and takes them away after it.

    It does not where they belong to a group that another block begins or ends, or a larger block.
    """
    parts = set(block.modules())
    groups = [hook.group for module in parts if (hook := _hooks(module).get("group_offloading")) is not None]
    if groups:
        return all(group.onload_leader in parts and group.offload_leader in parts for group in groups)
    return any(_offloads(attribute(module, "_hf_hook")) or _hooks(module) for module in parts)


def check_streams(denoiser: nn.Module) -> None:
    """Raise `UnsupportedPipeline` if groups of weights are fetched ahead of use, which a way back cannot follow."""
    for name, module in denoiser.named_modules():
        hook = _hooks(module).get("group_offloading")
        if hook is not None and hook.group.stream is not None:
            raise UnsupportedPipeline(
                f"Expected weights that are fetched where they are used, got group offloading with a stream at {name}, "
                "which fetches the group that follows in a forward, and on the way back would bring all of them back. "
                'Offload without it (use_stream=False), or pass settings with scheme="select", which has no way back.'
            )


def _hooks(module: nn.Module) -> dict[str, Any]:
    """Return the hooks that diffusers has put on a module, by their names."""
    registry = attribute(module, "_diffusers_hook")
    return {} if registry is None else registry.hooks


def _offloads(hook: Any) -> bool:
    """Return whether one of accelerate's hooks moves a module's weights away after each call."""
    if hook is None:
        return False
    return any(bool(getattr(one, "offload", False)) for one in [hook, *getattr(hook, "hooks", ())])


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
def guided_once(denoisers: Sequence[nn.Module], scheduler: Any) -> Iterator[None]:
    """Let nothing else guide `denoisers` or `scheduler` while the block is open; raises `PipelineError` if it does."""
    parts = {id(uncompiled(denoiser)): "denoiser" for denoiser in denoisers} | {id(scheduler): "scheduler"}
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
