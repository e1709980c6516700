"""Images that restart with another noise."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import diffusers
import pytest
import torch
from torch import Tensor

from heedful.attention import Maps, SiteSelection
from heedful.errors import SettingsError
from heedful.guidance import Method, Restart, Settings, guide
from heedful.guidance.methods import Separability
from heedful.prompts import Prompt
from heedful.steering.update import stream
from tests.guidance.test_guide import state
from tests.pipelines import SCHEDULER, generator, latents_of, tiny_pipeline, tiny_sdxl_pipeline
from tests.steering.test_initial_noise import noise_of

# diffusers' schedulers hand tensors to numpy in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

TWO = "a cat and a blue clock"
METHOD = Method(name="separability", loss=Separability())
PLAIN = Settings(sites=SiteSelection(scale=2), step_size=5.0, guided=1.0)


class Told:
    """A loss that says what it is told to say, look by look."""

    def __init__(self, *looks: Sequence[float]):
        self.looks = [torch.tensor(look) for look in looks]

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> Tensor:
        return self.looks.pop(0)[: len(maps)]


def restarting(*looks: Sequence[float], step: float = 0.5, tries: int = 1) -> Settings:
    return replace(PLAIN, restart=Restart(step=step, limit=0.5, tries=tries, loss=Told(*looks)))


@pytest.fixture(scope="module")
def pipe() -> Any:
    return tiny_pipeline()


def noise(number: int, seed: int, size: int = 8) -> Tensor:
    return torch.randn(4, size, size, generator=stream(f"noise {number}", seed))[None]


def condition_alone(steps: int, scale: float) -> dict[str, Any]:
    """Arguments of a pipeline that predicts by the condition alone for some steps, as a noise that is tried does."""

    def turn_on(pipe: Any, step: int, timestep: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        if step + 1 == steps:
            pipe._guidance_scale = scale
        return tensors

    return {"guidance_scale": 1 + 1e-13, "callback_on_step_end": turn_on}


def test_pipeline_is_bit_for_bit_as_it_was(pipe: Any) -> None:
    plain = latents_of(pipe, TWO)
    before = state(pipe)
    with guide(pipe, TWO, METHOD, settings=restarting([0.9], [0.1])):
        moved = latents_of(pipe, TWO)
    assert state(pipe) == before
    assert not moved.equal(plain)
    assert latents_of(pipe, TWO).equal(plain)


@pytest.mark.parametrize(
    "scheduler",
    [
        diffusers.DDIMScheduler,
        diffusers.EulerDiscreteScheduler,
        diffusers.DPMSolverMultistepScheduler,
        diffusers.LMSDiscreteScheduler,
        diffusers.PNDMScheduler,
    ],
)
@pytest.mark.parametrize("guidance_scale", [1.0, 5.0])
def test_image_is_what_the_pipeline_makes_of_the_noise_that_goes_on(scheduler: Any, guidance_scale: float) -> None:
    """Also for schedulers that remember earlier predictions, with and without classifier-free guidance."""
    skip: dict[str, Any] = {"skip_prk_steps": True} if scheduler is diffusers.PNDMScheduler else {}
    config = SCHEDULER if scheduler is diffusers.DDIMScheduler else {"steps_offset": 1} | skip
    pipe: Any = tiny_pipeline(torch.float64, scheduler=scheduler(**config))
    common: dict[str, Any] = {"num_inference_steps": 6, "guidance_scale": guidance_scale}
    unguided = common | condition_alone(2, guidance_scale) if guidance_scale > 1 else common
    own = noise_of(2, 4, 8, 8).double()
    other = torch.cat([own[:1], noise(1, 8).double()])
    prompts = [TWO, "a dog and a frog"]
    with guide(pipe, prompts, METHOD, settings=PLAIN, retry_seeds=[7, 8]) as direct:
        expected = latents_of(pipe, prompts, latents=other, **unguided)[1:]
    # of the two images, only the second is above the limit
    with guide(pipe, prompts, METHOD, settings=restarting([0.2, 0.9], [0.1], step=2 / 6), retry_seeds=[7, 8]) as guided:
        image = latents_of(pipe, prompts, latents=own, **common)
    torch.testing.assert_close(image[1:], expected, rtol=1e-4, atol=1e-4)
    with guide(pipe, prompts, METHOD, settings=PLAIN, retry_seeds=[7, 8]):
        unmoved = latents_of(pipe, prompts, latents=own, **common)
    torch.testing.assert_close(image[:1], unmoved[:1], rtol=1e-6, atol=1e-6)
    assert [restart.tries for restart in guided.trace.restarts] == [0, 1]
    torch.testing.assert_close(guided.maps["frog"][1:], direct.maps["frog"][1:], rtol=1e-3, atol=1e-5)
    for mine, theirs in zip(guided.trace, direct.trace, strict=True):
        assert mine.loss[1:] == pytest.approx(theirs.loss[1:], rel=1e-3)


def test_noise_with_the_least_loss_goes_on(pipe: Any) -> None:
    settings = restarting([0.9], [0.7], [0.8], tries=2)
    with guide(pipe, TWO, METHOD, settings=settings, retry_seeds=[3]) as guided:
        image = latents_of(pipe, TWO)
    (restart,) = guided.trace.restarts
    assert restart.tries == 2
    assert restart.loss == pytest.approx((0.9, 0.7))
    with guide(pipe, TWO, METHOD, settings=PLAIN):
        expected = latents_of(pipe, TWO, latents=noise(1, 3), **condition_alone(2, 7.5) | {"guidance_scale": 1 + 1e-6})
    torch.testing.assert_close(expected, image, rtol=1e-3, atol=1e-3)


def test_own_noise_goes_on_if_no_other_is_better_or_can_be_compared(pipe: Any) -> None:
    with guide(pipe, TWO, METHOD, settings=PLAIN):
        own = latents_of(pipe, TWO)
    for worse in (0.95, torch.nan):
        with guide(pipe, TWO, METHOD, settings=restarting([0.9], [worse]), retry_seeds=[3]):
            assert latents_of(pipe, TWO).equal(own)


def test_cost_counts_the_steps_that_were_made_again(pipe: Any) -> None:
    settings = replace(restarting([0.9, 0.2], [0.1]), guided=0.25)
    with guide(pipe, TWO, METHOD, settings=settings, retry_seeds=[3, 4]) as guided:
        latents_of(pipe, TWO, num_images_per_prompt=2, num_inference_steps=4)
    trace = guided.trace
    assert (trace.plain_rows, trace.gradient_rows, trace.restart_rows) == (16, 3, 2)
    assert trace.cost(1.0, 0.0) == pytest.approx(21 / 16)
    assert "restarts: 1 of 2 images, 1 noises tried" in repr(trace)
    assert trace.to_dict()["restarts"][0]["tries"] == 1


@pytest.mark.parametrize(("first", "tries"), [(1.8, 0), (1.0, 1)])
def test_relative_limit_asks_how_far_the_loss_has_fallen_since_the_first_step(
    pipe: Any, first: float, tries: int
) -> None:
    """Looks: the loss now and at the first step, 0.9 of `first`; then of another noise, 0.3 of 1."""
    told = restarting([0.9], [first], [0.3], [1.0])
    assert told.restart is not None
    with guide(pipe, TWO, METHOD, settings=replace(told, restart=replace(told.restart, relative=True))) as guided:
        latents_of(pipe, TWO)
    (restart,) = guided.trace.restarts
    assert restart.tries == tries
    assert restart.loss == pytest.approx((0.9 / first, 0.3 if tries else 0.9 / first))


def test_step_that_cannot_be_guided_leaves_the_question_to_the_next() -> None:
    """Heun's second half-steps go back to latents that it remembers."""
    pipe: Any = tiny_pipeline(scheduler=diffusers.HeunDiscreteScheduler(steps_offset=1))
    with guide(pipe, TWO, METHOD, settings=restarting([0.9], [0.1], step=1 / 7), retry_seeds=[3]) as guided:
        latents_of(pipe, TWO)
    assert [restart.tries for restart in guided.trace.restarts] == [1]


def test_scheduler_that_adds_noise() -> None:
    pipe: Any = tiny_pipeline(scheduler=diffusers.EulerAncestralDiscreteScheduler(steps_offset=1))

    def image() -> Tensor:
        with guide(pipe, TWO, METHOD, settings=restarting([0.9], [0.1]), retry_seeds=[3]):
            return latents_of(pipe, TWO)

    assert image().isfinite().all()
    assert image().equal(image())


def test_sdxl() -> None:
    pipe: Any = tiny_sdxl_pipeline()
    with guide(pipe, TWO, METHOD, settings=restarting([0.9], [0.1]), retry_seeds=[3]) as guided:
        image = latents_of(pipe, TWO)
    assert image.isfinite().all()
    assert guided.trace.restarts[0].tries == 1


def test_pipeline_may_combine_its_predictions_as_it_likes(pipe: Any) -> None:
    with guide(pipe, TWO, METHOD, settings=restarting([0.9], [0.1])) as guided:
        image = latents_of(pipe, TWO, guidance_rescale=0.7)
    assert image.isfinite().all()
    assert guided.trace.restarts[0].tries == 1


def test_run_that_does_not_begin_with_noise_is_refused() -> None:
    pipe = diffusers.StableDiffusionImg2ImgPipeline(**tiny_pipeline().components)
    pipe.set_progress_bar_config(disable=True)
    with (
        pytest.raises(SettingsError, match=r"begins with noise.*restart=None"),
        guide(pipe, TWO, METHOD, settings=restarting([0.9], [0.1])),
    ):
        pipe(TWO, image=torch.rand(1, 3, 16, 16), strength=0.5, num_inference_steps=4, generator=generator(0))


def test_run_that_cannot_be_made_again_goes_on_without_a_restart_that_is_optional() -> None:
    pipe = diffusers.StableDiffusionImg2ImgPipeline(**tiny_pipeline().components)
    pipe.set_progress_bar_config(disable=True)
    settings = restarting([0.9], [0.1])
    assert settings.restart is not None
    settings = replace(settings, restart=replace(settings.restart, is_optional=True))
    arguments: dict[str, Any] = {"image": torch.rand(1, 3, 16, 16), "strength": 0.5, "num_inference_steps": 4}
    with (
        pytest.warns(UserWarning, match="does not begin with noise"),
        guide(pipe, TWO, METHOD, settings=settings) as guided,
    ):
        pipe(TWO, generator=generator(0), **arguments)
    assert guided.trace.restarts == ()
    assert sum(step.is_guided for step in guided.trace) == 2


def test_restart_without_a_loss_is_refused(pipe: Any) -> None:
    settings = replace(PLAIN, restart=Restart(limit=0.5))
    with (
        pytest.raises(SettingsError, match="loss that predicts a failure"),
        guide(pipe, TWO, Method(name="nothing", loss=None), settings=settings),
    ):
        latents_of(pipe, TWO)


@pytest.mark.parametrize("numbers", [{"tries": 0}, {"step": 0}, {"step": 1.5}])
def test_impossible_numbers_are_refused(numbers: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="Expected a restart after a share of the run"):
        Restart(**numbers)
