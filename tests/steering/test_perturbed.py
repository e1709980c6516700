"""Perturbed-attention guidance (PAG) adds rows with another attention; the rows with the condition are guided."""

from dataclasses import replace
from typing import Any

import diffusers
import pytest
import torch

from heedful.attention import SiteSelection, parts_of
from heedful.errors import UnsupportedPipeline
from heedful.guidance import guide
from heedful.steering.perturbed import PLAIN, unperturbed
from tests.every_pipeline import PROMPTS
from tests.family_pipelines import FAMILY_PIPELINES
from tests.guidance.test_every_pipeline import EXCITE, settings_of
from tests.pipelines import tiny_unet

NAMES = ("StableDiffusionPAGPipeline", "StableDiffusion3PAGPipeline")

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # diffusers' schedulers, of numpy


@pytest.mark.parametrize("guidance_scale", [0.0, 5.0])
@pytest.mark.parametrize("name", NAMES)
def test_first_update_is_that_of_the_same_run_without_perturbation(name: str, guidance_scale: float) -> None:
    """The loss of the first step looks at conditional rows alone, which nothing perturbs."""
    losses = []
    for pag_scale in (0.0, 3.0):
        run = FAMILY_PIPELINES[name]()
        run.arguments |= {"pag_scale": pag_scale, "num_inference_steps": 2}
        with guide(run.pipe, PROMPTS, EXCITE, settings=settings_of(run, 0.3)) as guided:
            run(guidance_scale)
        assert guided.trace.images == 4
        losses.append(guided.trace[0].loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_blocks_that_are_perturbed_and_others_are_read_together() -> None:
    """The first of two blocks is; of it, the rows without perturbation are seen, as many as the second has of those."""
    run = FAMILY_PIPELINES["StableDiffusion3PAGPipeline"]()
    every = replace(settings_of(run, 0.0), sites=SiteSelection())
    seen = []
    for pag_scale in (0.0, 3.0):
        run.arguments |= {"pag_scale": pag_scale, "num_inference_steps": 1}
        with guide(run.pipe, PROMPTS, EXCITE, settings=every) as guided:
            run()
        seen.append(guided.maps["dog"])
    assert seen[0].shape == (4, 1, 4, 6)
    torch.testing.assert_close(seen[1], seen[0], equal_nan=True, rtol=1e-4, atol=1e-5)


def test_processors_come_back() -> None:
    unet: Any = tiny_unet()
    own = diffusers.models.attention_processor.PAGCFGIdentitySelfAttnProcessor2_0()
    attention = unet.mid_block.attentions[0].transformer_blocks[0].attn1
    attention.processor = own
    with unperturbed(parts_of(unet)):
        assert type(attention.processor).__name__ == PLAIN[type(own).__name__]
    assert attention.processor is own


def test_unknown_perturbation_is_refused() -> None:
    class PAGOther:
        pass

    module = torch.nn.Linear(1, 1)
    module.processor = PAGOther()  # type: ignore[assignment]
    with pytest.raises(UnsupportedPipeline, match=r"PAGOther.*pag_scale=0"), unperturbed(parts_of(module)):
        pass
