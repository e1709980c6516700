"""Which parameters take gradients for a while, and what a pass of the denoiser keeps for the way back.

Guidance and training both use it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from heedful.attention.capture import PassEnded
from heedful.attention.intercept import held


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Let no parameter of `module` take a gradient while the block is open."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


@contextmanager
def recomputing(denoiser: nn.Module, wanted: bool = True) -> Iterator[None]:
    """Let a pass with gradients keep what goes into each block alone; the way back runs the block again.

    The same gradient, less memory, about one forward more (Chen et al. 2016, arXiv 1604.06174). If it is not `wanted`,
    no block is run twice, whatever was set before.
    """
    blocks = [module for module in denoiser.modules() if hasattr(module, "gradient_checkpointing")]
    with ExitStack() as stack:
        for block in blocks:
            stack.enter_context(held(block, "gradient_checkpointing", wanted))
            stack.enter_context(held(block, "_gradient_checkpointing_func", _run_twice))
        yield


def _run_twice(block: Callable[..., Any], *args: Any) -> Any:
    """Run a block, and again on the way back; a pass that ends in it ends after it has been left in good order.

    A denoiser scales its LoRA layers for the length of a forward, which is over when the block runs again.
    """
    has_ended = False
    scalings = _scalings(block)

    def run(*args: Any) -> Any:
        nonlocal has_ended
        with ExitStack() as stack:
            for layer, scaling in scalings:
                stack.enter_context(held(layer, "scaling", dict(scaling)))
            try:
                return block(*args)
            except PassEnded:
                has_ended = True

    output = checkpoint(run, *args, use_reentrant=False)
    if has_ended:
        raise PassEnded
    return output


def _scalings(block: Callable[..., Any]) -> list[tuple[nn.Module, dict[str, float]]]:
    """Return the LoRA layers of a block with the scale that each of their adapters has now."""
    layers = block.modules() if isinstance(block, nn.Module) else ()
    found = ((layer, getattr(layer, "scaling", None)) for layer in layers)
    return [(layer, dict(scaling)) for layer, scaling in found if isinstance(scaling, dict)]
