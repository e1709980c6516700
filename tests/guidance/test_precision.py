"""Half precision: the model may have it, the arithmetic of guidance never has."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from heedful.attention import Maps, SiteSelection
from heedful.guidance import A_STAR, Settings, guide
from heedful.losses import AttendAndExcite
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
    with torch.autocast("cpu", torch.bfloat16), guide(pipe, TWO, AttendAndExcite(), settings=settings) as guided:
        latents_of(pipe, TWO)
    assert guided.trace.skipped == 0
    with torch.autocast("cpu", torch.bfloat16), guide(pipe, TWO, product, settings=settings):
        latents_of(pipe, TWO)
    assert set(seen) == {torch.float32}
