"""Quantised transformers, loaded as diffusers loads them: guided, and their weights are not touched.

A tiny FLUX of width 32, on the CPU. diffusers takes bitsandbytes where a GPU is alone: its tests are marked `gpu`.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import BitsAndBytesConfig, FluxTransformer2DModel, GGUFQuantizationConfig, TorchAoConfig
from torch import Tensor

from heedful.guidance import Restart, guide
from tests.every_pipeline import PIPELINES, PROMPTS, Run
from tests.guidance.test_every_pipeline import EXCITE, settings_of

pytestmark = pytest.mark.filterwarnings("ignore")  # torchao's and diffusers' own, of loading

FLUX = "FluxPipeline"
SCHEMES = ("exact", "one-pass", "prediction", "select")


def by_torchao(config: str) -> Callable[[Any, Path], Any]:
    """Saved, and loaded again with a quantisation."""

    def load(transformer: Any, folder: Path) -> Any:
        quantization = pytest.importorskip("torchao.quantization", reason="make slow installs torchao")
        group = quantization.PerGroup(32)
        made = (
            quantization.Int8WeightOnlyConfig()
            if config == "int8"
            else quantization.IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=group)
        )
        transformer.save_pretrained(folder)
        # layers narrower than a group stay as they are
        skipped = ["x_embedder", "context_embedder", "time_text_embed"]
        chosen = TorchAoConfig(made, modules_to_not_convert=skipped)
        return FluxTransformer2DModel.from_pretrained(folder, quantization_config=chosen, torch_dtype=torch.float32)

    return load


def by_gguf(kind: str) -> Callable[[Any, Path], Any]:
    """Written as a file of GGUF, as the communities of ComfyUI and llama.cpp do, and loaded from it."""

    def load(transformer: Any, folder: Path) -> Any:
        import gguf

        quantisation = getattr(gguf.GGMLQuantizationType, kind)
        transformer.save_config(folder)
        writer = gguf.GGUFWriter(str(folder / "flux.gguf"), "flux")
        for name, value in transformer.state_dict().items():
            numbers = value.numpy()
            if value.ndim == 2 and value.shape[1] % 32 == 0:
                writer.add_tensor(name, gguf.quants.quantize(numbers, quantisation), raw_dtype=quantisation)
            else:
                writer.add_tensor(name, numbers)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return FluxTransformer2DModel.from_single_file(
            str(folder / "flux.gguf"),
            config=str(folder),
            quantization_config=GGUFQuantizationConfig(compute_dtype=torch.float32),
            torch_dtype=torch.float32,
        )

    return load


LOADERS: dict[str, Callable[[Any, Path], Any]] = {
    "torchao int8": by_torchao("int8"),
    "torchao int4": by_torchao("int4"),
    "GGUF Q8_0": by_gguf("Q8_0"),
    "GGUF Q4_0": by_gguf("Q4_0"),
}


def quantised_run(name: str, folder: Path) -> Run:
    run = PIPELINES[FLUX]()
    run.pipe.transformer = LOADERS[name](run.pipe.transformer, folder).eval()
    return run


def stored(transformer: Any) -> list[Tensor]:
    """What the weights hold, without the parameters themselves."""
    parts: list[Tensor] = []
    for parameter in transformer.parameters():
        names = getattr(parameter, "tensor_data_names", None)
        parts += (
            [getattr(parameter, name).clone() for name in names] if names else [torch.Tensor(parameter.data).clone()]
        )
    return parts


def is_quantised(parameter: Any) -> bool:
    return type(parameter).__module__.startswith("torchao") or hasattr(parameter, "quant_type")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", LOADERS)
def test_loss_falls_and_weights_stay(name: str, scheme: str, tmp_path: Path) -> None:
    run = quantised_run(name, tmp_path)
    transformer = run.pipe.transformer
    assert sum(map(is_quantised, transformer.parameters())) > 10
    plain, before = run(), stored(transformer)
    grads = [parameter.requires_grad for parameter in transformer.parameters()]
    settings = settings_of(run, 0.3, scheme)
    if scheme == "select":
        settings = replace(settings, restart=Restart(step=0.4, limit=-1.0, tries=2))
    with guide(
        run.pipe, PROMPTS, EXCITE, settings=replace(settings, scheme="exact", step_size=0.0, restart=None)
    ) as still:
        run()
    with guide(run.pipe, PROMPTS, EXCITE, settings=settings) as guided:
        images = run()
    assert images.isfinite().all()
    if scheme == "select":
        assert any(restart.chosen > 0 for restart in guided.trace.restarts)
    else:
        assert sum(guided.trace[-1].loss) < sum(still.trace[-1].loss)
    assert (images - plain).abs().max() > 1e-3
    assert run().equal(plain)
    assert all(new.equal(old) for new, old in zip(stored(transformer), before, strict=True))
    assert [parameter.requires_grad for parameter in transformer.parameters()] == grads


@pytest.mark.parametrize("name", LOADERS)
def test_nothing_of_the_size_of_a_weight_is_kept(name: str, tmp_path: Path) -> None:
    """The largest weights have 32 x 160 numbers; what is kept of activations is larger, so shapes are compared."""
    run = quantised_run(name, tmp_path)
    shapes = {tuple(one.shape) for one in PIPELINES[FLUX]().pipe.transformer.parameters() if one.ndim == 2}
    shapes |= {(columns, rows) for rows, columns in shapes}
    kept: set[tuple[int, ...]] = set()

    def keep(tensor: Tensor) -> Tensor:
        kept.add(tuple(tensor.shape))
        return tensor

    run.arguments["num_inference_steps"] = 1
    with (
        guide(run.pipe, PROMPTS, EXCITE, settings=settings_of(run, 0.3)),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        run()
    wide = {shape for shape in shapes if shape[0] % 32 == 0 and shape[1] % 32 == 0}
    assert kept & wide == set()


@pytest.mark.parametrize("name", ["torchao int8", "GGUF Q8_0"])
def test_blocks_that_run_twice_give_the_same(name: str, tmp_path: Path) -> None:
    run = quantised_run(name, tmp_path)
    found = []
    for checkpoint in (False, True):
        with guide(run.pipe, PROMPTS, EXCITE, settings=settings_of(run, 0.3), gradient_checkpointing=checkpoint):
            found.append(run())
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-4)


def by_bitsandbytes(bits: int, transformer: Any, folder: Path) -> Any:
    """Saved, and loaded again by diffusers' documented configuration; it quantises where a GPU is, and nowhere else."""
    pytest.importorskip("bitsandbytes")
    config = (
        BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)
        if bits == 4
        else BitsAndBytesConfig(load_in_8bit=True)
    )
    transformer.save_pretrained(folder)
    return FluxTransformer2DModel.from_pretrained(folder, quantization_config=config, torch_dtype=torch.bfloat16).eval()


@pytest.mark.gpu
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("bits", [4, 8])
def test_bitsandbytes(bits: int, scheme: str, tmp_path: Path) -> None:
    """Not run on the machine on which this was written, which has no GPU."""
    run = PIPELINES[FLUX]()
    transformer = by_bitsandbytes(bits, run.pipe.transformer, tmp_path)
    for part in (run.pipe.vae, run.pipe.text_encoder, run.pipe.text_encoder_2):
        part.to("cuda", torch.bfloat16)
    run.pipe.transformer = transformer.to("cuda")
    kinds = [type(parameter).__name__ for parameter in transformer.parameters()]
    assert kinds.count("Params4bit" if bits == 4 else "Int8Params") > 10
    plain, before = run(), [parameter.detach().clone() for parameter in transformer.parameters()]
    kept: set[tuple[int, ...]] = set()

    def keep(tensor: Tensor) -> Tensor:
        kept.add(tuple(tensor.shape))
        return tensor

    settings = settings_of(run, 0.3, scheme)
    if scheme == "select":
        settings = replace(settings, restart=Restart(step=0.4, limit=-1.0, tries=2))
    with guide(
        run.pipe, PROMPTS, EXCITE, settings=replace(settings, scheme="exact", step_size=0.0, restart=None)
    ) as still:
        run()
    with (
        guide(run.pipe, PROMPTS, EXCITE, settings=settings) as guided,
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        images = run()
    assert images.isfinite().all()
    assert guided.trace.skipped == 0
    if scheme == "select":
        assert any(restart.chosen > 0 for restart in guided.trace.restarts)
    else:
        assert sum(guided.trace[-1].loss) < sum(still.trace[-1].loss)
    linear = {(module.out_features, module.in_features) for module in transformer.modules() if is_linear(module)}
    assert kept & (linear | {(columns, rows) for rows, columns in linear}) == set()  # no dequantised weight waits
    assert run().equal(plain)
    after = transformer.parameters()
    assert all(torch.equal(new, old) for new, old in zip(after, before, strict=True))


def is_linear(module: torch.nn.Module) -> bool:
    return type(module).__name__ in ("Linear4bit", "Linear8bitLt")
