"""Guidance on the pipelines and schedulers that people use, with random weights: the loss falls, all else stays."""

import inspect
from typing import Any

import diffusers
import pytest
import torch

from heedful.attention import SiteSelection
from heedful.guidance import Settings, guide
from heedful.guidance.methods import A_STAR, NONE, AttendAndExciteLoss
from heedful.world.architecture import build_autoencoder, build_scheduler, build_unet
from tests.pipelines import SCHEDULER, generator, tiny_pipeline, tiny_sdxl_pipeline

# diffusers' schedulers hand tensors to numpy in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

PROMPTS = ["a cat and a blue clock", "a red car and a dog"]
SETTINGS = Settings(sites=SiteSelection(scale=2), step_size=0.3, step_rule="rms", guided=1.0)
STILL = Settings(sites=SiteSelection(scale=2), step_size=0.0, guided=1.0)


def make(pipeline: str, scheduler: str) -> Any:
    chosen = getattr(diffusers, scheduler).from_config(SCHEDULER | {"skip_prk_steps": True})
    return {"sd": tiny_pipeline, "sdxl": tiny_sdxl_pipeline}[pipeline](scheduler=chosen)


def run(pipe: Any, **settings: Any) -> torch.Tensor:
    """Two prompts, two images each, not square."""
    common = {"num_inference_steps": 3, "height": 16, "width": 24, "num_images_per_prompt": 2, "output_type": "latent"}
    return pipe(PROMPTS, generator=generator(), **(common | settings)).images


@pytest.mark.filterwarnings("ignore:.*scale.*:FutureWarning")
@pytest.mark.parametrize("guidance_scale", [1.0, 5.0], ids=["single", "cfg"])
@pytest.mark.parametrize("scheduler", ["DDIMScheduler", "EulerDiscreteScheduler"])
@pytest.mark.parametrize("pipeline", ["sd", "sdxl"])
def test_text_to_image(pipeline: str, scheduler: str, guidance_scale: float) -> None:
    pipe = make(pipeline, scheduler)
    plain = run(pipe, guidance_scale=guidance_scale)
    with guide(pipe, PROMPTS, AttendAndExciteLoss(), settings=STILL) as still:
        assert run(pipe, guidance_scale=guidance_scale).equal(plain)
    with guide(pipe, PROMPTS, AttendAndExciteLoss(), settings=SETTINGS) as guided:
        images = run(pipe, guidance_scale=guidance_scale)
    assert images.shape == plain.shape == (4, 4, 8, 12)
    assert (images - plain).abs().amax((1, 2, 3)).min() > 1e-3
    assert guided.maps.tokens.shape[:2] == (4, 3)
    assert guided.maps.tokens.shape[-2:] == (4, 6)
    assert sum(guided.trace[-1].loss) < sum(still.trace[-1].loss)
    assert run(pipe, guidance_scale=guidance_scale).equal(plain)


def test_step_size_means_the_same_under_every_scheduler() -> None:
    """Euler's latents are larger than DDIM's, and its denoiser sees both alike: so does guidance."""
    moves = {}
    for scheduler in ("DDIMScheduler", "EulerDiscreteScheduler"):
        pipe = make("sd", scheduler)
        seen: list[torch.Tensor] = []
        handle = pipe.unet.conv_in.register_forward_pre_hook(
            lambda _, args, seen=seen: seen.append(args[0].detach().clone())
        )
        with guide(pipe, PROMPTS[0], AttendAndExciteLoss(), settings=SETTINGS):
            pipe(PROMPTS[0], num_inference_steps=2, output_type="latent", generator=generator())
        handle.remove()
        before, during = seen[0], seen[1][1:]
        moves[scheduler] = float((during - before).square().mean().sqrt())
    assert moves["DDIMScheduler"] == pytest.approx(0.3, rel=1e-4)
    assert moves["EulerDiscreteScheduler"] == pytest.approx(0.3, rel=1e-4)


def test_scheduler_steps_from_where_the_noise_was_predicted() -> None:
    """Euler: the sample that `step` gets, scaled as its input is, is the denoiser's input."""
    pipe = make("sd", "EulerDiscreteScheduler")
    inputs: list[torch.Tensor] = []
    samples: list[torch.Tensor] = []
    handle = pipe.unet.conv_in.register_forward_pre_hook(lambda _, args: inputs.append(args[0].detach().clone()))
    original, scale = pipe.scheduler.step, pipe.scheduler.scale_model_input

    def step(model_output: Any, timestep: Any, sample: Any, **rest: Any) -> Any:
        samples.append(scale(sample, timestep).clone())
        return original(model_output, timestep, sample, **rest)

    step.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
    pipe.scheduler.step = step
    with guide(pipe, PROMPTS[0], AttendAndExciteLoss(), settings=SETTINGS):
        pipe(PROMPTS[0], num_inference_steps=2, output_type="latent", generator=generator())
    handle.remove()
    assert pipe.scheduler.step is step
    for index in (0, 1):
        torch.testing.assert_close(samples[index], inputs[2 * index + 1][:1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("scheduler", "guided_calls"),
    [
        ("DPMSolverMultistepScheduler", [0, 1, 2]),
        ("DEISMultistepScheduler", [0, 1, 2]),
        ("DDPMScheduler", [0, 1, 2]),
        ("EulerAncestralDiscreteScheduler", [0, 1, 2]),
        ("LCMScheduler", [0, 1, 2]),
        ("HeunDiscreteScheduler", [0, 2, 4]),
        ("KDPM2DiscreteScheduler", [0, 2, 4]),
        ("PNDMScheduler", [0, 2, 3]),
    ],
)
def test_steps_whose_update_would_be_lost_are_not_guided(scheduler: str, guided_calls: list[int]) -> None:
    pipe = make("sd", scheduler)
    plain = run(pipe)
    with guide(pipe, PROMPTS, AttendAndExciteLoss(), settings=SETTINGS) as guided:
        images = run(pipe)
    assert [step.step for step in guided.trace if step.is_guided] == guided_calls
    assert (images - plain).abs().amax((1, 2, 3)).min() > 1e-3
    assert run(pipe).equal(plain)


def test_target_that_falls_on_a_lost_step_is_due_at_the_next() -> None:
    pipe = make("sd", "HeunDiscreteScheduler")
    settings = Settings(sites=SiteSelection(scale=2), guided=0.0, targets=((1 / 7, 0.9),), max_refinements=2)
    with guide(pipe, PROMPTS, AttendAndExciteLoss(), settings=settings) as guided:
        run(pipe)
    assert [step.step for step in guided.trace if step.is_guided] == [2]
    assert max(guided.trace[2].refinements) > 0


def test_run_that_begins_late_counts_the_steps_that_are_left() -> None:
    """Image-to-image begins in the middle of the timesteps; half of what is left is guided."""
    sd = make("sd", "DDIMScheduler")
    pipe: Any = diffusers.StableDiffusionImg2ImgPipeline(**sd.components, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    with guide(pipe, PROMPTS[0], AttendAndExciteLoss(), settings=Settings(sites=SiteSelection(scale=2))) as guided:
        image = torch.rand(1, 3, 16, 16, generator=generator())
        pipe(PROMPTS[0], image=image, strength=0.6, num_inference_steps=10, output_type="latent", generator=generator())
    assert [step.is_guided for step in guided.trace] == [True] * 3 + [False] * 3


@pytest.mark.parametrize("pipeline", ["sd", "sdxl"])
def test_maps_are_read_without_guidance(pipeline: str) -> None:
    pipe = make(pipeline, "DDIMScheduler")
    plain = run(pipe)
    with guide(pipe, PROMPTS, NONE, settings=SETTINGS) as guided:
        assert run(pipe).equal(plain)
    assert guided.maps["cat"].shape == (4, 3, 4, 6)


def test_embedded_architecture_is_read_at_8x8_by_itself() -> None:
    tiny = tiny_pipeline(scheduler=build_scheduler())
    parts = tiny.components | {"unet": build_unet(cross_attention_dim=16), "vae": build_autoencoder()}
    pipe: Any = diffusers.StableDiffusionPipeline(**parts, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    settings = A_STAR.embedded
    assert settings is not None
    with guide(pipe, PROMPTS[0], A_STAR, settings=settings) as guided:
        pipe(PROMPTS[0], num_inference_steps=7, output_type="latent", generator=generator())
    assert guided.maps["cat"].shape == (1, 7, 8, 8)
    assert [step.step_size for step in guided.trace][:2] == pytest.approx([12.0, 12.0 * (11 / 12) ** 0.5])
