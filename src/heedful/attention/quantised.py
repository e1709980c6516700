"""Gradients through linear layers whose weights are quantised: to the input alone, from the weights as they are stored.

The layers of torchao and GGUF are made for inference. Some of their kernels have no way back, and where there is one,
it keeps each weight after dequantisation: a model that was made to fit a card would have to fit it at full size.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from heedful.attention.intercept import replaced
from heedful.attention.parts import Parts, attribute

Apply = Callable[[Tensor], Tensor]
"""What a layer does with its input."""


@contextmanager
def quantised(parts: Parts) -> Iterator[None]:
    """Let gradients go through the quantised linear layers among `parts` while the block is open.

    On the way there, a layer does as ever. On the way back, its weight is dequantised, used and forgotten. Layers of
    bitsandbytes do the same by themselves.
    """
    with ExitStack() as stack:
        for layer in parts:
            if _is_torchao(attribute(layer, "weight")):
                stack.enter_context(replaced(layer, "forward", _watched(layer.forward)))
            elif type(layer).__name__ == "GGUFLinear":
                for name in ("forward_native", "forward_cuda"):
                    stack.enter_context(replaced(layer, name, _gguf(layer, getattr(layer, name))))
        yield


def _watched(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Return the forward of a layer as it is, with its product made differentiable."""

    def watched(*args: Any, **kwargs: Any) -> Any:
        with _Products():
            return forward(*args, **kwargs)

    return watched


class _Products(TorchFunctionMode):
    """Replaces the product with a weight of torchao by one that has a way back.

    It acts inside the call of a layer, where offloading has brought the weight; and in whichever thread runs the layer.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.linear and torch.is_grad_enabled():
            inputs, weight, bias = _bound(*args, **kwargs)
            if _is_torchao(weight):
                held = weight.detach()
                return _Linear.apply(
                    inputs,
                    lambda given: func(given, held, bias),
                    lambda like: _dense(held, like),
                )
        return func(*args, **kwargs)


def _bound(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor | None]:  # noqa: A002
    """Return the arguments of `F.linear`, in order."""
    return input, weight, bias


def _gguf(layer: Any, forward: Apply) -> Apply:
    """Return one of the forwards of a GGUF layer with a way back."""
    from diffusers.quantizers.gguf.utils import dequantize_gguf_tensor

    def apply(inputs: Tensor) -> Tensor:
        weight = layer.weight
        return _Linear.apply(inputs, forward, lambda like: dequantize_gguf_tensor(weight).to(like))

    return apply


class _Linear(torch.autograd.Function):
    """y = x W^T + b by a kernel of its own; the gradient with respect to x is that of y times W."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, apply: Apply, dense: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.dense = dense
        return apply(inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        return gradient @ ctx.dense(gradient), None, None


def _dense(weight: Any, like: Tensor) -> Tensor:
    """Return a weight as numbers; one that cannot tell them is asked by the product with the unit matrix."""
    if type(weight).dequantize is not Tensor.dequantize:
        return weight.dequantize().to(like)
    unit = torch.eye(weight.shape[1], dtype=weight.dtype, device=weight.device)
    return F.linear(unit, weight).mT.to(like)


def _is_torchao(weight: Any) -> bool:
    return isinstance(weight, Tensor) and type(weight).__module__.partition(".")[0] == "torchao"
