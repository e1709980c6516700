"""Gradients through quantised layers: those of the dequantised layer, and nothing of its size is kept."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heedful.attention import parts_of
from heedful.attention.quantised import _dense, quantised

pytestmark = pytest.mark.filterwarnings("ignore")  # torchao's own, of its import
WIDTH = 64


def torchao_layer(config: Callable[[], Any]) -> Callable[[], Any]:
    def make() -> Any:
        torchao = pytest.importorskip("torchao.quantization", reason="make slow installs torchao")
        layer = nn.Sequential(nn.Linear(WIDTH, WIDTH)).requires_grad_(False)
        torchao.quantize_(layer, config())
        return layer

    return make


def int8() -> Any:
    return pytest.importorskip("torchao.quantization").Int8WeightOnlyConfig()


def int4() -> Any:
    """4 bits a weight, by the kernel that runs on a CPU; the one of `Int4WeightOnlyConfig` needs a GPU."""
    torchao = pytest.importorskip("torchao.quantization")
    return torchao.IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=torchao.PerGroup(32))


def gguf_layer(kind: str) -> Callable[[], Any]:
    def make() -> Any:
        import gguf
        from diffusers.quantizers.gguf.utils import GGUFLinear, GGUFParameter

        quantisation = getattr(gguf.GGMLQuantizationType, kind)
        stored = gguf.quants.quantize(torch.randn(WIDTH, WIDTH).numpy(), quantisation)
        layer: Any = GGUFLinear(WIDTH, WIDTH, bias=True, compute_dtype=torch.float32)
        layer.weight = GGUFParameter(torch.from_numpy(stored), quant_type=quantisation)
        return nn.Sequential(layer.requires_grad_(False))

    return make


LAYERS: dict[str, Callable[[], Any]] = {
    "torchao int8": torchao_layer(int8),
    "torchao int4": torchao_layer(int4),
    "GGUF Q8_0": gguf_layer("Q8_0"),
    "GGUF Q4_0": gguf_layer("Q4_0"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_is_that_of_the_dequantised_weight_which_is_not_kept(name: str) -> None:
    layer = LAYERS[name]()
    inputs = torch.randn(3, WIDTH, requires_grad=True)
    plain = layer(inputs)
    weight = torch.stack([layer(one) - layer(0 * one) for one in torch.eye(WIDTH)]).mT.detach()
    kept: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    with quantised(parts_of(layer)), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = layer(inputs)
    assert output.equal(plain)
    assert max(kept, default=0) < WIDTH * WIDTH
    (gradient,) = torch.autograd.grad(output.square().sum(), inputs)
    torch.testing.assert_close(gradient, 2 * output @ weight, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", LAYERS)
def test_layer_is_as_it_was_after_it(name: str) -> None:
    layer = LAYERS[name]()
    before = dict(vars(layer[0]))
    with quantised(parts_of(layer)):
        assert vars(layer[0]).keys() != before.keys()
    assert vars(layer[0]) == before


def test_weight_that_cannot_tell_its_numbers_is_asked_by_the_unit_matrix() -> None:
    class Mute(Tensor):
        """A weight whose product alone is known."""

        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is F.linear:
                plain = [one.as_subclass(Tensor) for one in args if isinstance(one, Tensor)]
                return F.linear(*plain)
            return super().__torch_function__(func, types, args, kwargs or {})

    weight = torch.randn(5, 7)
    torch.testing.assert_close(_dense(weight.as_subclass(Mute), torch.empty(0)), weight)


def test_other_layers_are_left_alone() -> None:
    layer = nn.Linear(4, 4)
    with quantised(parts_of(layer)):
        assert "forward" not in vars(layer)


@pytest.mark.gpu
def test_int4_kernels_of_a_gpu() -> None:
    from torchao.quantization import Int4WeightOnlyConfig, quantize_

    layer: Any = nn.Sequential(nn.Linear(128, 128)).to("cuda", torch.bfloat16).requires_grad_(False)
    quantize_(layer, Int4WeightOnlyConfig(group_size=128))
    inputs = torch.randn(3, 128, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    unit = torch.eye(128, device="cuda", dtype=torch.bfloat16)
    weight = (layer(unit) - layer(0 * unit)).mT.detach()
    with quantised(parts_of(layer)):
        output = layer(inputs)
        (gradient,) = torch.autograd.grad(output.sum(), inputs)
    torch.testing.assert_close(gradient, torch.ones_like(output) @ weight, rtol=0.05, atol=0.05)
