"""The search for an initial noise on whole pipelines."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import diffusers
import pytest
import torch
from torch import Tensor

import heedful
from heedful.attention import Maps, SiteSelection
from heedful.errors import SettingsError, UnsuitablePrompt, UnsupportedScheduler
from heedful.guidance import Method, Settings, guide
from heedful.guidance.methods import INITNO, NONE, AttendAndExciteLoss
from heedful.prompts import Prompt
from tests.guidance.test_guide import state
from tests.pipelines import SCHEDULER, generator, latents_of, tiny_pipeline, tiny_sdxl_pipeline
from tests.steering.test_initial_noise import SMALL, noise_of

# diffusers' schedulers hand tensors to numpy in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

TWO = "a cat and a blue clock"
ONLY = Settings(sites=SiteSelection(scale=2), guided=0.0, initial_noise=SMALL)
"""The search, and no guidance after it."""


@pytest.fixture(scope="module")
def pipe() -> Any:
    return tiny_pipeline()


def test_pipeline_is_bit_for_bit_as_it_was(pipe: Any) -> None:
    plain = latents_of(pipe, TWO)
    before = state(pipe)
    with guide(pipe, TWO, INITNO, settings=replace(ONLY, guided=1.0)):
        moved = latents_of(pipe, TWO)
    assert state(pipe) == before
    assert not moved.equal(plain)
    assert moved.isfinite().all()
    assert latents_of(pipe, TWO).equal(plain)


@pytest.mark.parametrize("scheduler", [diffusers.DDIMScheduler, diffusers.EulerDiscreteScheduler])
def test_image_is_what_the_pipeline_makes_of_the_noise_that_was_found(scheduler: Any) -> None:
    config: dict[str, Any] = SCHEDULER if scheduler is diffusers.DDIMScheduler else {"steps_offset": 1}
    pipe: Any = tiny_pipeline(torch.float64, scheduler=scheduler(**config))
    inputs: list[Tensor] = []
    handle = pipe.unet.conv_in.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    with guide(pipe, TWO, INITNO, settings=ONLY) as guided:
        noise = noise_of(1, 4, 8, 8)
        image = latents_of(pipe, TWO, latents=noise)
    handle.remove()
    search = guided.trace.noises[0].iterations
    assert [len(given) for given in inputs] == [1] * search + [2] * 4  # the conditional half, then both
    found = inputs[search][1:]
    assert not found.equal(inputs[0])
    pipe.scheduler.set_timesteps(4)
    scale = float(pipe.scheduler.scale_model_input(torch.ones(1), pipe.scheduler.timesteps[0]))
    start = found / scale / float(pipe.scheduler.init_noise_sigma)
    torch.testing.assert_close(latents_of(pipe, TWO, latents=start), image, rtol=1e-5, atol=1e-4)


def test_image_in_a_batch_equals_the_same_image_alone() -> None:
    """One, two and three concepts in float64, guided after the search."""
    pipe = tiny_pipeline(torch.float64)
    prompts = ["a cat and a dog", "a frog", "a cat a dog and a frog"]
    concepts = [["cat", "dog"], ["frog"], ["cat", "dog", "frog"]]
    noise = noise_of(3, 4, 8, 8)
    settings = replace(ONLY, guided=1.0)
    common: dict[str, Any] = {"num_inference_steps": 2}
    with (
        pytest.warns(UserWarning, match="SelfConflict needs two concepts") as warned,
        guide(pipe, prompts, INITNO, concepts, settings=settings, retry_seeds=[3, 4, 5]) as together,
    ):
        whole = latents_of(pipe, prompts, latents=noise, **common)
    assert len([w for w in warned if w.category is UserWarning]) == 1
    for item in (0, 2):
        with guide(pipe, prompts[item], INITNO, concepts[item], settings=settings, retry_seeds=[3 + item]) as alone:
            single = latents_of(pipe, prompts[item], latents=noise[item : item + 1], **common)
        torch.testing.assert_close(whole[item : item + 1], single, rtol=1e-8, atol=1e-8)
        here, there = together.trace.noises[item], alone.trace.noises[0]
        assert (here.noises, here.iterations) == (there.noises, there.iterations)
        assert here.cross == pytest.approx(there.cross)


def test_cost_is_counted_and_the_search_ends_at_the_last_site(pipe: Any) -> None:
    ran: list[int] = []
    handle = pipe.unet.conv_out.register_forward_pre_hook(lambda _, given: ran.append(len(given[0])))
    with guide(pipe, TWO, INITNO, settings=replace(ONLY, guided=0.5)) as guided:
        latents_of(pipe, TWO)
    handle.remove()
    assert ran == [2] * 4
    (noise,) = guided.trace.noises
    assert noise.iterations == 6
    assert guided.trace.gradient_rows == 6 + 2
    assert guided.trace.cost(1.0, 0.0) == pytest.approx(1 + 8 / 8)
    assert [step.is_guided for step in guided.trace] == [True, True, False, False]
    plain = json.loads(guided.trace.to_json())
    assert plain["noises"][0]["cross"] == list(noise.cross)
    assert "0 of 1 accepted, 2 noises tried in 6 iterations" in repr(guided.trace)


def test_same_seeds_give_the_same_image_and_every_seed_begins_with_the_pipelines_noise(pipe: Any) -> None:
    results, own = [], []
    for seed in (1, 1, 2, 3):
        with guide(pipe, TWO, INITNO, settings=ONLY, retry_seeds=[seed]) as guided:
            results.append(latents_of(pipe, TWO))
        own.append(guided.trace.noises[0].cross[0])
    assert results[0].equal(results[1])
    assert len(set(own)) == 1


def test_search_works_without_a_loss_and_with_sdxl() -> None:
    pipe = tiny_sdxl_pipeline()
    plain = latents_of(pipe, TWO)
    search = Method(name="search", loss=None, settings=replace(ONLY, initial_noise=SMALL))
    with guide(pipe, TWO, search) as guided:
        assert not latents_of(pipe, TWO).equal(plain)
    assert guided.trace.noises[0].noises == 2
    assert not any(step.is_guided for step in guided.trace)


def test_what_does_not_go_together_is_refused(pipe: Any) -> None:
    sites = replace(ONLY, sites=SiteSelection())
    with pytest.raises(SettingsError, match="one map size"), guide(pipe, TWO, INITNO, settings=sites):
        latents_of(pipe, TWO)
    with pytest.raises(UnsuitablePrompt, match="concepts"), guide(pipe, "a", NONE, settings=ONLY):
        pass
    loses = tiny_pipeline(scheduler=diffusers.UniPCMultistepScheduler(steps_offset=1))
    with pytest.raises(UnsupportedScheduler), guide(loses, TWO, NONE, settings=ONLY):
        pass
    later: Any = diffusers.StableDiffusionImg2ImgPipeline(**pipe.components, requires_safety_checker=False)
    later.set_progress_bar_config(disable=True)
    with pytest.raises(SettingsError, match="begins at step 4 of 10"), guide(later, TWO, INITNO, settings=ONLY):
        later(TWO, image=torch.rand(1, 3, 16, 16), strength=0.6, num_inference_steps=10, output_type="latent")


def test_gradient_that_is_not_finite_is_said_once(pipe: Any) -> None:
    def broken(maps: Maps, prompts: Sequence[Prompt], previous: Maps | None) -> Tensor:
        return AttendAndExciteLoss()(maps, prompts) * torch.nan

    plain = latents_of(pipe, TWO)
    settings = replace(ONLY, initial_noise=replace(SMALL, cross=broken))
    with (
        pytest.warns(RuntimeWarning, match="image 0 at step 0") as warned,
        guide(pipe, TWO, NONE, settings=settings) as guided,
    ):
        assert latents_of(pipe, TWO).equal(plain)
    assert len(warned) == 1
    assert guided.trace.skipped == 3
    assert json.loads(guided.trace.to_json())["noises"][0]["cross"] == [None, None]


def test_both_losses_fall_on_the_embedded_model() -> None:
    pipe: Any = heedful.world.load()
    pipe.set_progress_bar_config(disable=True)
    prompts, seeds = ["a cat and a dog", "a bear and a red car"], [1, 2]
    with guide(pipe, prompts, INITNO, retry_seeds=seeds) as guided:
        generators = [generator(seed) for seed in seeds]
        images = pipe(prompts, generator=generators, num_inference_steps=6, output_type="np").images
    assert INITNO.embedded is not None
    assert guided.settings.initial_noise == INITNO.embedded.initial_noise != INITNO.settings.initial_noise
    for noise in guided.trace.noises:
        assert noise.cross[1] < noise.cross[0]
        assert sum((noise.cross[1], noise.conflict[1])) < 0.9 * sum((noise.cross[0], noise.conflict[0]))
    assert images.shape == (2, 64, 64, 3)
