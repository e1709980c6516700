"""Weights that wait in the memory of the processor: refused without an accelerator, and the same images with one.

No accelerator is at hand: the processor takes its place as the device that computes.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from heedful.errors import ModelError, SettingsError
from heedful.guidance import METHODS
from heedful.images import PromptLine, Request, look, make_plan
from heedful.models import Model, ModelOptions, begin_offload, open_model
from heedful.models.offload import check_offload
from heedful.options import Offload, SamplingOptions
from tests.pipelines import tiny_pipeline

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")


def image_of(model: Model) -> bytes:
    request = Request(
        prompts=[PromptLine("a cat and a clock")],
        methods=[METHODS["attend-and-excite"]],
        seeds=[0],
        sampling=SamplingOptions(steps=1, gradient_checkpointing=True),
    )
    return look(make_plan(model, request)).image.tobytes()


@pytest.mark.parametrize("offload", ["model", "group"])
def test_an_offloaded_model_makes_the_same_image(offload: Offload) -> None:
    model = open_model(ModelOptions(device="cpu"))
    expected = image_of(model)
    begin_offload(model.pipe, offload, "cpu")
    assert image_of(model) == expected


def test_layers_are_offloaded_one_by_one_from_the_device_that_was_asked_for() -> None:
    """Accelerate does it for a whole pipeline only from an accelerator, so the call is what is seen here."""
    asked: list[str] = []
    begin_offload(
        SimpleNamespace(enable_sequential_cpu_offload=lambda *, device: asked.append(device)), "sequential", "mps"
    )
    assert asked == ["mps"]


def test_offloading_wants_an_accelerator() -> None:
    check_offload("none", "cpu")
    check_offload("group", "cuda")
    with pytest.raises(SettingsError, match="accelerator"):
        open_model(ModelOptions(device="cpu", offload="model"))


def test_a_pipeline_that_cannot_be_offloaded_is_told_of() -> None:
    with pytest.raises(ModelError, match="another way to offload"):
        begin_offload(object(), "group", "cpu")


def test_a_revision_is_of_a_hub_and_a_variant_of_weights_that_have_one() -> None:
    with pytest.raises(SettingsError, match="lies on this machine"):
        open_model(ModelOptions(device="cpu", revision="fp16"))
    with pytest.raises(SettingsError, match="no variant of an embedded model"):
        open_model(ModelOptions(device="cpu", variant="fp16"))


def test_a_variant_is_loaded_and_told_from_the_plain_weights(tmp_path: Path) -> None:
    pipe = tiny_pipeline()
    pipe.save_pretrained(tmp_path)
    with torch.no_grad():
        next(pipe.unet.parameters()).zero_()
    pipe.save_pretrained(tmp_path, variant="small")
    plain, small = (
        open_model(ModelOptions(device="cpu", model=str(tmp_path), variant=variant)) for variant in (None, "small")
    )
    assert plain.weights != small.weights
    first: list[Any] = [next(model.pipe.unet.parameters()) for model in (plain, small)]
    assert first[0].any() and not first[1].any()
    with pytest.raises(ModelError, match="ema"):
        open_model(ModelOptions(device="cpu", model=str(tmp_path), variant="ema"))
