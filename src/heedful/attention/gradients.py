"""Which parameters take gradients for a while, and what a pass of the denoiser keeps for the way back.

Guidance and training both use it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop

from heedful.attention.capture import PassEnded
from heedful.attention.intercept import held
from heedful.attention.parts import Parts, attribute


@contextmanager
def frozen(parts: Parts) -> Iterator[None]:
    """Let no parameter of `parts` take a gradient while the block is open.

    Offloading puts other parameters in their place meanwhile, under the same names.
    """
    trained = [
        (part, name, parameter)
        for part in parts
        for name, parameter in part._parameters.items()
        if parameter is not None and parameter.requires_grad
    ]
    try:
        for _, _, parameter in trained:
            parameter.requires_grad_(False)
        yield
    finally:
        for part, name, parameter in trained:
            parameter.requires_grad_(True)
            now = part._parameters.get(name)
            if now is not None:
                now.requires_grad_(True)


@contextmanager
def recomputing(
    parts: Parts, wanted: bool = True, *, brings_weights: Callable[[nn.Module], bool] | None = None
) -> Iterator[None]:
    """Let a pass with gradients keep what goes into each block alone; the way back runs the block again.

    The same gradient, less memory, about one forward more (Chen et al. 2016, arXiv 1604.06174). If it is not `wanted`,
    no block is run twice, whatever was set before.

    `brings_weights` is given if something puts others in the place of a module's weights after each use, as offloading
    does: it says whether a block that is run by itself has its weights. Those that do are run again to their end, where
    they are taken away once more, and the way back has them until it has left the block; others are run once.
    """
    blocks = [part for part in parts if attribute(part, "gradient_checkpointing") is not None]
    run_twice = partial(_run_twice, brings_weights=brings_weights)
    with ExitStack() as stack:
        for block in blocks:
            stack.enter_context(held(block, "gradient_checkpointing", wanted))
            stack.enter_context(held(block, "_gradient_checkpointing_func", run_twice))
        if brings_weights is not None:
            stack.enter_context(set_checkpoint_early_stop(False))
        yield


@contextmanager
def keeping_weights() -> Iterator[None]:
    """Let the way back see the weights of a pass as they were in it, whatever has taken their place since.

    Group offloading and layerwise casting swap what a parameter holds after each use, and autograd keeps the parameter.
    Here it keeps what the parameter held. So the weights of a pass stay in memory until its way back, but for those of
    blocks that are run again (`recomputing`).
    """
    with torch.autograd.graph.saved_tensors_hooks(_as_it_is, _unchanged):
        yield


def _as_it_is(tensor: Tensor) -> Tensor:
    """Return a tensor of its own on the same memory."""
    return tensor.detach()


def _unchanged(tensor: Tensor) -> Tensor:
    return tensor


class _OfTheirOwn(TorchFunctionMode):
    """Gives each operation of a graph tensors of their own on the memory of parameters.

    In a block that is run again, no hook of ours is asked what is kept. What brings weights and takes them away is in
    no graph, and gets the parameters themselves.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if any(isinstance(value, Tensor) and value.requires_grad for value in [*args, *kwargs.values()]):
            args = tuple(map(_of_its_own, args))
            kwargs = {name: _of_its_own(value) for name, value in kwargs.items()}
        return func(*args, **kwargs)


def _of_its_own(value: Any) -> Any:
    return value.detach() if isinstance(value, nn.Parameter) else value


def _run_twice(block: Callable[..., Any], *args: Any, brings_weights: Callable[[nn.Module], bool] | None = None) -> Any:
    """Run a block, and again on the way back; a pass that ends in it ends after it has been left in good order.

    A denoiser scales its LoRA layers for the length of a forward, which is over when the block runs again.
    """
    if brings_weights is not None and not (isinstance(block, nn.Module) and brings_weights(block)):
        return block(*args)
    has_ended = False
    scalings = _scalings(block)

    def run(*args: Any) -> Any:
        nonlocal has_ended
        with ExitStack() as stack:
            for layer, scaling in scalings:
                stack.enter_context(held(layer, "scaling", dict(scaling)))
            if brings_weights is not None:
                stack.enter_context(_OfTheirOwn())
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
