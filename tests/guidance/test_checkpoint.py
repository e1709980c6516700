"""`gradient_checkpointing=True`: the same gradients from less memory, and blocks that are as they were after it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from peft import LoraConfig

from heedful.attention import find_denoiser
from heedful.guidance import Method, guide
from heedful.guidance.methods import AttendAndExciteLoss
from tests.every_pipeline import PIPELINES, PROMPTS
from tests.guidance.test_every_pipeline import settings_of

EXCITE = Method(name="excite", loss=AttendAndExciteLoss())
FAMILIES = ("StableDiffusionPipeline", "StableDiffusionXLPipeline", "PixArtSigmaPipeline", "StableDiffusion3Pipeline",
            "FluxPipeline")  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")


@pytest.mark.parametrize("scheme", ["exact", "one-pass"])
@pytest.mark.parametrize("name", FAMILIES)
def test_images_are_the_same(name: str, scheme: str) -> None:
    run = PIPELINES[name]()
    found = []
    for checkpoint in (False, True):
        settings = settings_of(run, 0.3, scheme)
        with guide(run.pipe, PROMPTS, EXCITE, settings=settings, gradient_checkpointing=checkpoint) as guided:
            found.append((run(), [step.loss for step in guided.trace]))
    torch.testing.assert_close(found[1][0], found[0][0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(torch.tensor(found[1][1]), torch.tensor(found[0][1]), rtol=1e-5, atol=1e-6)


def test_blocks_run_again_on_the_way_back_and_keep_less() -> None:
    run = PIPELINES["StableDiffusionPipeline"]()
    resnet: Any = run.pipe.unet.down_blocks[0].resnets[0]
    settings = replace(settings_of(run, 0.3), guided=1 / 3)

    def passes(checkpoint: bool) -> tuple[int, int]:
        calls: list[bool] = []
        handle = resnet.register_forward_pre_hook(lambda *_: calls.append(torch.is_grad_enabled()))
        with guide(run.pipe, PROMPTS, EXCITE, settings=settings, gradient_checkpointing=checkpoint):
            kept = _bytes_kept(run)
        handle.remove()
        return sum(calls), kept

    (once, all_kept), (twice, less_kept) = passes(False), passes(True)
    assert (once, twice) == (1, 2)
    assert less_kept < 0.7 * all_kept


def _bytes_kept(run: Callable[[], Any]) -> int:
    """What the graphs of a run keep, without what a block that is run again keeps for a moment."""
    storages: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        run()
    return sum(storages.values())


@pytest.mark.parametrize("was_on", [False, True])
def test_blocks_are_as_they_were_after_it(was_on: bool) -> None:
    run = PIPELINES["StableDiffusionPipeline"]()
    if was_on:
        run.pipe.unet.enable_gradient_checkpointing()
    blocks = [module for module in find_denoiser(run.pipe).modules() if hasattr(module, "gradient_checkpointing")]  # type: ignore[union-attr]
    before = [dict(vars(block)) for block in blocks]
    for checkpoint in (False, True):
        with guide(run.pipe, PROMPTS, EXCITE, settings=settings_of(run, 0.3), gradient_checkpointing=checkpoint):
            run()
        for block, was in zip(blocks, before, strict=True):
            now = vars(block)
            assert now.keys() == was.keys()
            for key in ("gradient_checkpointing", "_gradient_checkpointing_func"):
                assert now.get(key) is was.get(key)


@pytest.mark.parametrize("name", ["StableDiffusionPipeline", "FluxPipeline"])
def test_gradients_are_the_same_with_a_scaled_lora(name: str) -> None:
    """diffusers scales LoRA layers for the length of a forward; a block that runs again does so after it."""
    run = PIPELINES[name]()
    denoiser: Any = find_denoiser(run.pipe)
    torch.manual_seed(1)
    denoiser.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_k", "to_v"], init_lora_weights=False))
    option = "cross_attention_kwargs" if name.startswith("Stable") else "joint_attention_kwargs"
    run.arguments |= {option: {"scale": 0.2}, "num_inference_steps": 2}
    found = []
    for checkpoint in (False, True):
        settings = settings_of(run, 0.3)
        with guide(run.pipe, PROMPTS, EXCITE, settings=settings, gradient_checkpointing=checkpoint) as guided:
            found.append((run(), guided.trace[-1].loss))
    torch.testing.assert_close(found[1][0], found[0][0], rtol=1e-5, atol=1e-5)
    assert found[1][1] == pytest.approx(found[0][1], abs=1e-6)
    layers = [module for module in denoiser.modules() if isinstance(getattr(module, "scaling", None), dict)]
    assert {scale for layer in layers for scale in layer.scaling.values()} == {4.0}
