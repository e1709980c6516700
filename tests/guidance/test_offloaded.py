"""Weights that are taken away after use: group offload, sequential offload, layerwise casting.

No accelerator is at hand: they are run with the CPU as the device that computes, from disk or from the meta device,
where a weight that is used after it was taken away is not there, or is not what it was.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate import cpu_offload
from accelerate.hooks import remove_hook_from_module
from diffusers.hooks import apply_group_offloading
from torch import Tensor

from heedful.attention import find_denoiser
from heedful.attention.intercept import held
from heedful.errors import UnsupportedPipeline
from heedful.guidance import Method, Restart, TextEdit, guide
from heedful.guidance.methods import HEEDFUL, NONE
from heedful.guidance.methods.dos import SeparatedText
from heedful.guidance.methods.phrases import PhrasesAlone
from heedful.guidance.methods.tebopt import BalancedText
from tests.every_pipeline import PIPELINES, PROMPTS, Run
from tests.guidance.test_every_pipeline import EXCITE, settings_of
from tests.guidance.test_guide import TWO, state
from tests.pipelines import latents_of, tiny_pipeline

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

CPU = torch.device("cpu")
FAMILIES = ("StableDiffusionPipeline", "StableDiffusion3Pipeline", "FluxPipeline")
SCHEMES = ("exact", "one-pass", "prediction", "select")


def by_leaves(run: Run, folder: Path) -> None:
    """Group offload, each layer by itself; weights that were used are gone from memory."""
    denoiser: Any = find_denoiser(run.pipe)
    denoiser.enable_group_offload(
        onload_device=CPU, offload_device=CPU, offload_type="leaf_level", offload_to_disk_path=str(folder)
    )


def by_blocks(run: Run, folder: Path, together: int = 1) -> None:
    """Group offload, block by block."""
    denoiser: Any = find_denoiser(run.pipe)
    denoiser.enable_group_offload(
        onload_device=CPU,
        offload_device=CPU,
        offload_type="block_level",
        num_blocks_per_group=together,
        offload_to_disk_path=str(folder),
    )


def by_pairs(run: Run, folder: Path) -> None:
    """Group offload, two blocks at a time: the second has no weights if it is run by itself."""
    by_blocks(run, folder, together=2)


def one_by_one(run: Run, folder: Path) -> None:
    """Accelerate's sequential offload: weights wait elsewhere, and the module holds none."""
    cpu_offload(find_denoiser(run.pipe), execution_device=CPU)


WAYS = (by_leaves, by_blocks, by_pairs, one_by_one)


def spoil(tensor: Tensor, *_: Any, **__: Any) -> Tensor:
    """What disk offload leaves in the place of a weight is not initialised; here it is never a number or a position."""
    return torch.full(tensor.shape, torch.nan if tensor.is_floating_point() else -1, dtype=tensor.dtype)


@contextmanager
def spoilt() -> Iterator[None]:
    from diffusers.hooks import group_offloading

    patched = SimpleNamespace(**{name: getattr(torch, name) for name in dir(torch)} | {"empty_like": spoil})
    with held(group_offloading, "torch", patched):
        yield


def results(run: Run, scheme: str, checkpoint: bool | None = None) -> tuple[Tensor, list[tuple[float, ...]], Any]:
    settings = settings_of(run, 0.3, scheme)
    if scheme == "select":
        settings = replace(settings, restart=Restart(step=0.4, limit=-1.0, tries=1))
    with guide(run.pipe, PROMPTS, EXCITE, settings=settings, gradient_checkpointing=checkpoint) as guided:
        images = run()
    return images, [step.loss for step in guided.trace], guided.trace


def cases() -> Iterator[Any]:
    """FLUX in every way by every scheme, the others exactly; the rest takes a minute."""
    for name in FAMILIES:
        for way in WAYS:
            for scheme in SCHEMES:
                is_fast = name == "FluxPipeline" or scheme == "exact"
                marks = () if is_fast else pytest.mark.slow
                yield pytest.param(name, way, scheme, id=f"{name}, {way.__name__}, {scheme}", marks=marks)


@pytest.mark.parametrize(("name", "way", "scheme"), list(cases()))
def test_images_are_those_of_weights_at_hand(
    name: str, way: Callable[[Run, Path], None], scheme: str, tmp_path: Path
) -> None:
    expected, losses, trace = results(PIPELINES[name](), scheme)
    run = PIPELINES[name]()
    with spoilt():
        way(run, tmp_path)
        plain = run()
        images, found, _ = results(run, scheme)
        assert run().equal(plain)
    torch.testing.assert_close(images, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.tensor(found), torch.tensor(losses), rtol=1e-4, atol=1e-5)
    assert trace.images == 4


@pytest.mark.parametrize("way", WAYS)
def test_without_checkpointing_weights_are_kept_until_the_way_back(
    way: Callable[[Run, Path], None], tmp_path: Path
) -> None:
    expected, _, _ = results(PIPELINES["FluxPipeline"](), "exact", False)
    run = PIPELINES["FluxPipeline"]()
    with spoilt():
        way(run, tmp_path)
        images, _, _ = results(run, "exact", False)
    torch.testing.assert_close(images, expected, rtol=1e-4, atol=1e-4)


def test_each_block_is_fetched_again_on_the_way_back(tmp_path: Path) -> None:
    """Forward and way back of the gradient pass, and the forward that predicts."""
    run = PIPELINES["FluxPipeline"]()
    by_blocks(run, tmp_path)
    block: Any = find_denoiser(run.pipe).get_submodule("transformer_blocks.0")  # type: ignore[union-attr]
    group = block._diffusers_hook.get_hook("group_offloading").group
    fetched: list[bool] = []
    onload = group.onload_
    group.onload_ = lambda: (fetched.append(torch.is_grad_enabled()), onload())
    run.arguments["num_inference_steps"] = 1
    results(run, "exact")
    assert fetched == [True, True, False]


def test_parameters_require_gradients_as_before() -> None:
    """Accelerate puts other parameters in the place of those that were frozen."""
    run = PIPELINES["StableDiffusionPipeline"]()
    denoiser: Any = find_denoiser(run.pipe)
    denoiser.conv_out.requires_grad_(False)
    before = {name: parameter.requires_grad for name, parameter in denoiser.named_parameters()}
    one_by_one(run, Path())
    results(run, "exact")
    assert {name: parameter.requires_grad for name, parameter in denoiser.named_parameters()} == before
    remove_hook_from_module(denoiser, recurse=True)
    assert all(parameter.isfinite().all() for parameter in denoiser.parameters())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_layers_that_are_cast_after_use(scheme: str) -> None:
    """Stored in 16 bits, computed in 32: as if the weights had been rounded once."""
    rounded = PIPELINES["FluxPipeline"]()
    run = PIPELINES["FluxPipeline"]()
    run.pipe.transformer.enable_layerwise_casting(storage_dtype=torch.bfloat16, compute_dtype=torch.float32)
    names = {name for name, parameter in run.pipe.transformer.named_parameters() if parameter.dtype == torch.bfloat16}
    assert names
    with torch.no_grad():
        for name, parameter in rounded.pipe.transformer.named_parameters():
            if name in names:
                parameter.copy_(parameter.to(torch.bfloat16))
    expected, losses, _ = results(rounded, scheme)
    images, found, _ = results(run, scheme)
    torch.testing.assert_close(images, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.tensor(found), torch.tensor(losses), rtol=1e-4, atol=1e-5)


def test_groups_that_are_fetched_ahead_have_no_way_back(tmp_path: Path) -> None:
    """Streams need an accelerator, so the hook is told that it has one."""
    run = PIPELINES["FluxPipeline"]()
    by_blocks(run, tmp_path)
    block: Any = find_denoiser(run.pipe).get_submodule("transformer_blocks.0")  # type: ignore[union-attr]
    block._diffusers_hook.get_hook("group_offloading").group.stream = object()
    with pytest.raises(UnsupportedPipeline, match=r"use_stream=False.*select"), guide(run.pipe, PROMPTS, EXCITE):
        pass
    with guide(run.pipe, PROMPTS, EXCITE, settings=settings_of(run, 0.3, "select")):
        pass


WORDS = ("red", "blue")
EDITS: dict[str, tuple[Method, TextEdit | None]] = {
    "phrases": (NONE, PhrasesAlone()),
    "tebopt": (NONE, BalancedText(alone="a {noun}")),
    "dos": (NONE, SeparatedText(attributes=WORDS, ground="a {noun} on a {word} background", grounds=WORDS)),
    "heedful": (HEEDFUL, HEEDFUL.settings.text_edit),
}


def parts_by_leaves(pipe: Any, folder: Path) -> None:
    """Group offload of text encoder and denoiser, each layer by itself."""
    for name in ("text_encoder", "unet"):
        apply_group_offloading(
            getattr(pipe, name),
            onload_device=CPU,
            offload_device=CPU,
            offload_type="leaf_level",
            offload_to_disk_path=str(folder / name),
        )


def parts_one_by_one(pipe: Any, folder: Path) -> None:
    """Accelerate's sequential offload of every part, without which diffusers does not know where to compute."""
    for part in (pipe.text_encoder, pipe.unet, pipe.vae):
        cpu_offload(part, execution_device=CPU)


def whole_parts(pipe: Any, folder: Path) -> None:
    """Each part of the pipeline while it runs, as diffusers has it."""
    pipe.enable_model_cpu_offload(device="cpu")


def one_step(pipe: Any, method: Method = NONE, edit: TextEdit | None = None) -> Tensor:
    with guide(pipe, TWO, method, settings=replace(method.settings, text_edit=edit)):
        return latents_of(pipe, TWO, num_inference_steps=1)


@pytest.fixture(scope="module")
def at_hand() -> dict[str, Tensor]:
    """The latents of each edit, and of none, with weights at hand."""
    return {name: one_step(tiny_pipeline(), *edit) for name, edit in {"none": (), **EDITS}.items()}


@pytest.mark.parametrize("way", [parts_by_leaves, whole_parts, pytest.param(parts_one_by_one, marks=pytest.mark.slow)])
def test_text_is_edited_by_an_encoder_whose_weights_are_elsewhere(
    way: Callable[[Any, Path], None], at_hand: dict[str, Tensor], tmp_path: Path
) -> None:
    """An edit asks it for further texts when the denoiser has been called already."""
    pipe: Any = tiny_pipeline()
    with spoilt():
        way(pipe, tmp_path)
        plain = latents_of(pipe, TWO, num_inference_steps=1)
        before = state(pipe), state_of_text(pipe)
        for name, edit in EDITS.items():
            assert one_step(pipe, *edit).equal(at_hand[name])
            assert (state(pipe), state_of_text(pipe)) == before
        assert latents_of(pipe, TWO, num_inference_steps=1).equal(plain) and plain.equal(at_hand["none"])
    assert len({each.numpy().tobytes() for each in at_hand.values()}) == len(at_hand)


def state_of_text(pipe: Any) -> Any:
    """What an edit could leave behind on the text encoder."""
    return [
        (name, sorted(vars(module)), [(each.requires_grad, each.device) for each in module.parameters(recurse=False)])
        for name, module in pipe.text_encoder.named_modules()
    ]
