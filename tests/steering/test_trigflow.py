"""Sana Sprint, whose denoiser and scheduler have latents on different scales, with the pipeline between them."""

from dataclasses import replace
from typing import Any

import diffusers
import pytest
import torch

from heedful.attention import SiteSelection
from heedful.errors import UnsupportedScheduler
from heedful.guidance import NONE, guide
from heedful.steering import trigflow
from heedful.steering.past import twin
from heedful.steering.prediction import prediction_weight
from heedful.steering.update import stream
from tests.every_pipeline import Run
from tests.family_pipelines import FAMILY_PIPELINES
from tests.guidance.test_every_pipeline import EXCITE, settings_of
from tests.guidance.test_select import told
from tests.pipelines import generator, tiny_pipeline


def sprint(steps: int = 3) -> Run:
    run = FAMILY_PIPELINES["SanaSprintPipeline"]()
    run.arguments["num_inference_steps"] = steps
    return run


def test_what_lies_between_is_what_the_pipeline_does(monkeypatch: pytest.MonkeyPatch) -> None:
    run = sprint()
    seen: list[tuple[torch.Tensor, ...]] = []
    step, scheduler = run.pipe.scheduler.step, run.pipe.scheduler

    def listen(module: Any, args: Any, kwargs: Any, output: Any) -> None:
        seen.append((args[0], kwargs["timestep"], output[0]))

    def stepped(output: torch.Tensor, timestep: torch.Tensor, latents: torch.Tensor, **more: Any) -> Any:
        inputs, time, predicted = seen[-1]
        t = trigflow.angle(float(time[0]))
        assert t == pytest.approx(float(timestep[0]), abs=1e-5)
        torch.testing.assert_close(latents * trigflow.input_scale(scheduler, t), inputs, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(trigflow.for_scheduler(scheduler, t, inputs, predicted), output)
        return step(output, timestep, latents, **more)

    run.pipe.transformer.register_forward_hook(listen, with_kwargs=True)
    monkeypatch.setattr(scheduler, "step", stepped)
    run()
    assert len(seen) == 3


def test_update_arrives_as_in_latents_that_were_there_from_the_start_and_so_it_does_in_the_prediction() -> None:
    scheduler = diffusers.SCMScheduler()
    scheduler.set_timesteps(4, intermediate_timesteps=None)
    scheduler.set_begin_index(0)
    y, v, u = torch.randn(3, 2, 4, 4, 4, generator=generator(), dtype=torch.float64)

    def made(t: torch.Tensor, latents: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        return twin(scheduler).step(output, t, latents, generator=generator(2)).prev_sample

    for timestep in scheduler.timesteps[:-1]:
        t, times = float(timestep), timestep.expand(2)
        scale = trigflow.input_scale(scheduler, t)
        of_y, of_moved = (trigflow.for_scheduler(scheduler, t, scale * latents, v) for latents in (y, y + u))
        arguments = {"timestep": times, "model_output": of_y}
        torch.testing.assert_close(trigflow.moved(arguments, u), of_moved)
        plain, moved = made(times, y, of_y), made(times, y + u, of_moved)
        weight = prediction_weight(scheduler, {"timestep": times})
        torch.testing.assert_close(made(times, y, of_y + weight * u), moved, rtol=1e-4, atol=1e-5)
        assert (moved - plain).abs().max() > 0.1
        scheduler.step(of_y, times, y, generator=generator(2))


def test_image_is_what_the_pipeline_makes_of_the_noise_that_goes_on() -> None:
    run, other = sprint(steps=1), torch.randn(1, 4, 4, 6, generator=stream("noise 1", 3))
    run.prompts = run.prompts[:1]
    run.arguments["num_images_per_prompt"] = 1
    settings = replace(told([0.9], [0.1]), sites=SiteSelection())
    with guide(run.pipe, run.prompts, EXCITE, settings=settings, retry_seeds=[3]) as guided:
        image = run()
    assert guided.trace.restarts[0].chosen == 1
    run.arguments["latents"] = other
    torch.testing.assert_close(image, run(), rtol=1e-4, atol=1e-4)


def test_update_is_as_long_in_latents_as_in_the_prediction() -> None:
    images = []
    for scheme in ("one-pass", "prediction"):
        run = sprint()
        with guide(run.pipe, run.prompts, EXCITE, settings=settings_of(run, 0.3, scheme)) as guided:
            images.append(run())
        assert len(guided.trace) == 3 and all(step.is_guided for step in guided.trace)
    torch.testing.assert_close(images[1], images[0], rtol=1e-3, atol=1e-3)


def test_another_denoiser_under_this_scheduler_is_refused_unless_nothing_is_moved() -> None:
    pipe: Any = tiny_pipeline()
    pipe.scheduler = diffusers.SCMScheduler()
    with pytest.raises(UnsupportedScheduler, match=r"Sana Sprint.*UNet2D"), guide(pipe, "a cat and a dog", EXCITE):
        pass
    with guide(pipe, "a cat and a dog", NONE):
        pass
