"""Guidance against the pipeline that diffusers once had for Attend-and-Excite: the same final latents.

That pipeline guides one image at a time, runs the whole denoiser for each gradient, with eager attention and parameters
that require gradients, and looks at each point of a refinement twice. None of this changes the result. It builds its
Gaussian kernel in float32, which is what remains of the difference in float64.
"""

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from heedful.attention import SiteSelection
from heedful.guidance import Settings, Trace, guide
from heedful.guidance.methods import ATTEND_AND_EXCITE, AttendAndExciteLoss
from tests.pipelines import generator, tiny_pipeline

PROMPTS = ["a cat and a blue clock", "a red car and a dog"]
INDICES = [[2, 6], [3, 6]]
REFINED = {0: 0.05, 2: 0.1, 4: 0.2}

# diffusers takes a scale of 100 for every text length; the tiny pipeline's is not 77
METHOD = replace(ATTEND_AND_EXCITE, loss=AttendAndExciteLoss())

Compare = Callable[..., tuple[float, Trace]]


@pytest.fixture(scope="module")
def compare() -> Compare:
    ours: Any = tiny_pipeline(torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from diffusers import StableDiffusionAttendAndExcitePipeline

        parts = {name: part for name, part in ours.components.items() if name != "image_encoder"}
        theirs = StableDiffusionAttendAndExcitePipeline(**parts, requires_safety_checker=False)
    theirs.set_progress_bar_config(disable=True)

    def difference(
        thresholds: dict[int, float], scale: float, count: int, guidance_scale: float
    ) -> tuple[float, Trace]:
        common = {
            "num_inference_steps": 10,
            "output_type": "latent",
            "guidance_scale": guidance_scale,
            "num_images_per_prompt": 2,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reference = theirs(
                PROMPTS[:count],
                token_indices=INDICES[:count],
                attn_res=(4, 4),
                max_iter_to_alter=5,
                thresholds=thresholds,
                scale_factor=scale,
                generator=generator(3),
                **common,
            ).images
        targets = tuple((step / 10, 1 - threshold) for step, threshold in thresholds.items())
        settings = Settings(sites=SiteSelection(scale=2), step_size=scale, guided=0.5, targets=targets)
        with guide(ours, PROMPTS[:count], METHOD, settings=settings) as guided:
            images = ours(PROMPTS[:count], generator=generator(3), **common).images
        plain = ours(PROMPTS[:count], generator=generator(3), **common).images
        assert float((plain - reference).abs().max()) > 0.1  # guidance has changed the images
        return float((images - reference).abs().max() / reference.abs().max()), guided.trace

    return difference


def test_without_refinement(compare: Compare) -> None:
    difference, trace = compare({}, 20.0, 2, 7.5)
    assert difference <= 1e-6
    assert not any(any(step.refinements) for step in trace)


@pytest.mark.parametrize("scale", [20.0, 100.0])
def test_with_refinement(compare: Compare, scale: float) -> None:
    difference, trace = compare(REFINED, scale, 1, 7.5)
    assert difference <= 1e-6
    counts = [count for step in trace for count in step.refinements]
    assert any(0 < count < 20 for count in counts)  # some reach their target
    assert 20 in counts  # and some do not


def test_without_classifier_free_guidance(compare: Compare) -> None:
    difference, _ = compare({0: 0.05}, 20.0, 1, 1.0)
    assert difference <= 1e-6


def test_thresholds_that_are_met_refine_nothing(compare: Compare) -> None:
    difference, trace = compare({0: 0.001, 5: 0.001}, 20.0, 1, 7.5)
    assert difference <= 1e-6
    assert not any(any(step.refinements) for step in trace)
