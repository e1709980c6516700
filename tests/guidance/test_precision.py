"""Half precision: the model may have it, the arithmetic of guidance never has."""

import warnings
from dataclasses import replace
from typing import Any

import pytest
import torch

from heedful.attention import Maps, SiteSelection
from heedful.guidance import METHODS, Settings, guide
from heedful.guidance.methods import A_STAR, AttendAndExciteLoss
from tests.pipelines import latents_of, tiny_pipeline

TWO = "a cat and a blue clock"
SHORT = Settings(sites=SiteSelection(scale=2), step_size=20.0, guided=1.0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_runs_and_stays_finite(dtype: torch.dtype) -> None:
    pipe = tiny_pipeline()
    pipe.unet.to(dtype)
    pipe.text_encoder.to(dtype)
    with guide(pipe, TWO, A_STAR, settings=SHORT) as guided:
        images = latents_of(pipe, TWO, num_inference_steps=2)
    assert images.isfinite().all()
    assert guided.trace.skipped == 0
    assert guided.maps["cat"].dtype == torch.float32


@pytest.mark.parametrize("scheme", ["exact", "one-pass"])
def test_losses_are_computed_in_full_precision_under_the_callers_autocast(scheme: Any) -> None:
    pipe = tiny_pipeline()
    seen: list[torch.dtype] = []

    def product(maps: Maps, prompts: Any, previous: Any) -> torch.Tensor:
        loss = torch.einsum("bthw,bthw->b", maps.tokens, maps.tokens)
        seen.append(loss.dtype)
        return loss

    settings = replace(SHORT, scheme=scheme)
    with torch.autocast("cpu", torch.bfloat16), guide(pipe, TWO, AttendAndExciteLoss(), settings=settings) as guided:
        latents_of(pipe, TWO)
    assert guided.trace.skipped == 0
    with torch.autocast("cpu", torch.bfloat16), guide(pipe, TWO, product, settings=settings):
        latents_of(pipe, TWO)
    assert set(seen) == {torch.float32}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.loss is not None])
def test_maps_that_underflow_in_half_precision_are_finite(name: str, dtype: torch.dtype) -> None:
    """Keys so far apart that a token has a probability below the least normal number of float16."""
    pipe = tiny_pipeline()
    with torch.no_grad():
        for key, parameter in pipe.unet.named_parameters():
            if "attn2.to_k" in key:
                parameter.mul_(40)
    pipe.to(dtype=dtype)
    least = torch.finfo(torch.float16).smallest_normal
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a loss that has nothing to do for this prompt says so
        with guide(pipe, TWO, METHODS[name], settings=replace(SHORT, step_size=0.1)) as guided:
            images = latents_of(pipe, TWO, num_inference_steps=2)
    assert float(guided.maps.tokens.min()) < least
    assert images.isfinite().all()
    assert guided.trace.skipped == 0
