"""Whether a denoiser computes every block of every pass, with its weights at hand, as guidance needs.

Knows the hooks of diffusers and accelerate that skip blocks or take weights away. Knows nothing of guidance.
"""

from typing import Any

from torch import nn

from heedful.errors import UnsupportedPipeline

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


def _takes_weights_away(hook: Any) -> bool:
    """Return whether one of accelerate's hooks moves a module's weights away after each call."""
    return any(bool(getattr(one, "offload", False)) for one in [hook, *getattr(hook, "hooks", ())])
