"""A denoiser in which gradients reach the latents alone, for a while.

Knows parameters, and blocks that can be run a second time to save memory. Knows nothing of guidance.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from heedful.attention.capture import PassEnded
from heedful.attention.intercept import held


@contextmanager
def frozen(denoiser: nn.Module, *, recompute: bool = False) -> Iterator[None]:
    """Let no parameter of `denoiser` take a gradient while the block is open.

    With `recompute`, a pass with gradients keeps what goes into each block alone, and the way back runs the block
    again: the same gradient for about one forward more (Chen et al. 2016, arXiv 1604.06174). Without it no block is run
    twice, whatever the denoiser was told before.
    """
    trained = [parameter for parameter in denoiser.parameters() if parameter.requires_grad]
    blocks = [module for module in denoiser.modules() if hasattr(module, "gradient_checkpointing")]
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        with ExitStack() as stack:
            for block in blocks:
                stack.enter_context(held(block, "gradient_checkpointing", recompute))
                stack.enter_context(held(block, "_gradient_checkpointing_func", _run_twice))
            yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def _run_twice(block: Callable[..., Any], *args: Any) -> Any:
    """Run a block, and again on the way back; a pass that ends in it ends after it has been left in good order."""
    has_ended = False

    def run(*args: Any) -> Any:
        nonlocal has_ended
        try:
            return block(*args)
        except PassEnded:
            has_ended = True

    output = checkpoint(run, *args, use_reentrant=False)
    if has_ended:
        raise PassEnded
    return output
