"""What does not look like one prediction and one step of the counted images is refused, whatever the method."""

import copy
import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline

from heedful.attention import SiteSelection
from heedful.errors import PipelineError, PromptError, SettingsError, UnsupportedPipeline
from heedful.guidance import NONE, Method, Restart, Settings, guide
from heedful.guidance.methods import AttendAndExciteLoss
from heedful.prompts import Prompt
from tests.every_pipeline import PIPELINES, PROMPTS
from tests.guidance.test_every_pipeline import settings_of
from tests.pipelines import generator, latents_of, tiny_pipeline, tiny_unet

TWO = "a cat and a blue clock"
EXCITE = Method(name="excite", loss=AttendAndExciteLoss())
SETTINGS = Settings(sites=SiteSelection(scale=2), step_size=0.3, step_rule="rms", guided=1.0)
METHODS = pytest.mark.parametrize("method", [NONE, EXCITE], ids=["none", "excite"])


def short(pipe: Any, prompt: Any = TWO, **settings: Any) -> torch.Tensor:
    return latents_of(pipe, prompt, **({"num_inference_steps": 2} | settings))


# two calls, offloading, other parts


@METHODS
def test_every_call_in_a_block_is_guided_with_model_offload(method: Method) -> None:
    pipe = tiny_pipeline()
    with guide(pipe, TWO, method, settings=SETTINGS):
        expected = [short(pipe, generator=generator(seed)) for seed in (0, 1)]
    pipe.enable_model_cpu_offload(device="cpu")
    with guide(pipe, TWO, method, settings=SETTINGS) as guided:
        for seed in (0, 1):
            assert short(pipe, generator=generator(seed)).equal(expected[seed])
            assert len(guided.trace) == 2
            assert sum(step.is_guided for step in guided.trace) == (0 if method is NONE else 2)
    assert hasattr(pipe.unet, "_hf_hook")
    pipe.remove_all_hooks()
    plain = short(pipe)
    with guide(pipe, TWO, EXCITE, settings=SETTINGS):
        assert not short(pipe).equal(plain)
    assert short(pipe).equal(plain)


def test_offloading_that_begins_inside_the_block_does_not_keep_guidance_alive() -> None:
    pipe = tiny_pipeline()
    plain = short(pipe)
    with guide(pipe, TWO, EXCITE, settings=SETTINGS) as guided:
        pipe.enable_model_cpu_offload(device="cpu")
        for _ in range(2):
            assert not short(pipe).equal(plain)
            assert guided.trace.gradient_rows == 2  # guided once a step, not twice
    assert short(pipe).equal(plain)
    pipe.remove_all_hooks()
    assert short(pipe).equal(plain)


@METHODS
def test_denoiser_that_is_replaced_inside_the_block_is_noticed(method: Method) -> None:
    pipe = tiny_pipeline()
    with guide(pipe, TWO, method, settings=SETTINGS):
        short(pipe)
        pipe.unet = tiny_unet(seed=1)
        with pytest.raises(PipelineError, match=r"the denoiser that the pipeline had.*before the block"):
            short(pipe)


@METHODS
def test_step_without_a_prediction_is_refused(method: Method) -> None:
    pipe = tiny_pipeline()
    other = tiny_unet(seed=1)
    with guide(pipe, TWO, method, settings=SETTINGS):
        pipe.scheduler.set_timesteps(2)
        latents = torch.randn(1, 4, 8, 8)
        with torch.no_grad():
            noise = other(latents, pipe.scheduler.timesteps[0], encoder_hidden_states=torch.randn(1, 16, 16)).sample
        with pytest.raises(PipelineError, match=r"guided denoiser before each step.*without one"):
            pipe.scheduler.step(noise, pipe.scheduler.timesteps[0], latents)


@METHODS
def test_step_of_another_number_of_images_is_refused(method: Method) -> None:
    """Two images of two texts and one noise look like one image under classifier-free guidance."""
    pipe = tiny_pipeline()
    loop = SimpleNamespace(unet=pipe.unet, scheduler=pipe.scheduler, tokenizer=pipe.tokenizer)
    latents = torch.randn(1, 4, 8, 8).repeat(2, 1, 1, 1)
    with guide(loop, TWO, method, settings=SETTINGS), torch.no_grad():
        pipe.scheduler.set_timesteps(2)
        now = pipe.scheduler.timesteps[0]
        noise = pipe.unet(latents, now, encoder_hidden_states=torch.randn(2, 16, 16)).sample
        with pytest.raises(UnsupportedPipeline, match=r"step of 1 images.*got one of 2.*do_classifier_free_guidance"):
            pipe.scheduler.step(noise, now, latents)


def test_prediction_at_another_timestep_before_the_step_is_refused() -> None:
    """A pipeline that shares the denoiser alone would be half guided."""
    pipe = tiny_pipeline()
    shared = tiny_pipeline()
    shared.unet = pipe.unet
    with (
        guide(pipe, TWO, EXCITE, settings=SETTINGS),
        pytest.warns(UserWarning, match="not a copy"),
        pytest.raises(PipelineError, match="another scheduler"),
    ):
        short(shared)


# guided twice


def test_guiding_what_is_guided_already_is_refused_on_entry() -> None:
    pipe, sharing = tiny_pipeline(), tiny_pipeline()
    sharing.unet = pipe.unet
    plain = short(pipe)
    first = guide(pipe, TWO, EXCITE, settings=SETTINGS)
    first.__enter__()
    for again in (pipe, sharing):
        with pytest.raises(PipelineError, match="already guided"), guide(again, TWO, NONE):
            pass
    first.__exit__(None, None, None)
    assert short(pipe).equal(plain)
    with guide(sharing, TWO, NONE, settings=SETTINGS):
        short(sharing)


def test_second_thread_on_one_pipeline_is_refused() -> None:
    pipe = tiny_pipeline()
    errors: list[Exception] = []

    def work() -> None:
        try:
            with guide(pipe, TWO, NONE):
                pass
        except PipelineError as error:
            errors.append(error)

    with guide(pipe, TWO, EXCITE, settings=SETTINGS):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(errors) == 1


def test_one_guide_is_for_one_block() -> None:
    pipe = tiny_pipeline()
    once = guide(pipe, TWO, NONE, settings=SETTINGS)
    with once:
        short(pipe)
    with pytest.raises(SettingsError, match=r"new guide\(...\) for each block"), once:
        pass

    @guide(pipe, TWO, NONE, settings=SETTINGS)
    def paint() -> torch.Tensor:
        return short(pipe)

    assert paint().equal(paint())


# copies


@pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")
def test_copies_that_are_made_inside_the_block_are_plain_after_it() -> None:
    pipe = tiny_pipeline()
    plain = short(pipe)
    with guide(pipe, TWO, EXCITE, settings=SETTINGS, gradient_checkpointing=True):
        short(pipe)
        unet, scheduler = copy.deepcopy(pipe.unet), copy.deepcopy(pipe.scheduler)
    assert all(parameter.requires_grad for parameter in unet.parameters())
    assert not any(getattr(module, "gradient_checkpointing", False) for module in unet.modules())
    with torch.no_grad():
        unet.conv_in.weight.zero_()  # of the copy alone
    assert short(pipe).equal(plain)
    copied = tiny_pipeline()
    copied.unet, copied.scheduler = unet, scheduler
    assert not short(copied).equal(plain)
    untouched = tiny_pipeline()
    untouched.scheduler = scheduler
    assert short(untouched).equal(plain)


# the prompt that is encoded


@METHODS
@pytest.mark.parametrize(
    ("guided", "called"),
    [
        ("a [cat] and a [blue clock]", "a [cat] and a [blue clock]"),
        (TWO, "a dog and a red car"),
        (PROMPTS, PROMPTS[::-1]),
        (TWO, [TWO, "a dog and a red car"]),
    ],
    ids=["marks", "another", "order", "more"],
)
def test_another_prompt_than_the_guided_one_is_refused(method: Method, guided: Any, called: Any) -> None:
    pipe = tiny_pipeline()
    with (
        guide(pipe, guided, method, settings=SETTINGS),
        pytest.raises(PromptError, match=r"called with the text that is guided.*got.*same prompts, in the same order"),
    ):
        short(pipe, called)


def test_copy_of_the_guided_pipeline_is_told_that_its_prompt_is_not_seen() -> None:
    pipe = tiny_pipeline()
    short(pipe)
    copied = StableDiffusionPipeline.from_pipe(pipe, requires_safety_checker=False)
    copied.set_progress_bar_config(disable=True)
    with guide(pipe, TWO, NONE, settings=SETTINGS), pytest.warns(UserWarning, match="not a copy") as warned:
        for _ in range(2):
            short(copied, "a dog and a red car")
    assert len(warned) == 1


def test_the_same_prompt_several_times_is_the_guided_one() -> None:
    pipe = tiny_pipeline()
    with guide(pipe, TWO, NONE, settings=SETTINGS) as guided:
        short(pipe, [TWO, TWO], num_images_per_prompt=2)
    assert guided.trace.images == 4


def test_flux_reads_its_second_prompt_and_not_the_negative_one() -> None:
    run = PIPELINES["FluxPipeline, negative prompt"]()
    with guide(run.pipe, PROMPTS, NONE, settings=settings_of(run, 0.0)):
        run()
        run.arguments["prompt_2"] = PROMPTS[::-1]
        with pytest.raises(PromptError, match="text that is guided"):
            run()


# arguments


def test_wrapper_of_the_forward_sees_arguments_as_the_pipeline_passes_them() -> None:
    pipe = tiny_pipeline()
    expected = short(pipe)
    forward, seen = pipe.unet.forward, list[int]()

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        seen.append(len(args))
        return forward(*args, **kwargs)

    pipe.unet.forward = wrapper
    with guide(pipe, TWO, EXCITE, settings=replace(SETTINGS, step_size=0.0)):
        assert short(pipe).equal(expected)
    assert seen == [2] * 4  # two gradient passes among them


# refusals that say why


def test_restart_beside_a_controlnet_is_refused() -> None:
    run = PIPELINES["StableDiffusionControlNetPipeline"]()
    settings = replace(settings_of(run, 0.0), restart=Restart(step=1, limit=0.0))
    with (
        guide(run.pipe, PROMPTS, EXCITE, settings=settings),
        pytest.raises(SettingsError, match=r"residuals of a ControlNet.*restart=None"),
    ):
        run()


def test_restart_that_is_optional_is_left_out_beside_a_controlnet() -> None:
    run = PIPELINES["StableDiffusionControlNetPipeline"]()
    settings = replace(settings_of(run, 0.0), restart=Restart(step=0.5, limit=0.0, is_optional=True))
    with guide(run.pipe, PROMPTS, EXCITE, settings=settings) as guided:
        with pytest.warns(UserWarning, match="a ControlNet's residuals belong to one noise"):
            run()
        assert guided.trace.restarts == ()


def test_hand_made_prompt_is_compared_too() -> None:
    pipe = tiny_pipeline()
    prompt = Prompt.parse("a [cat] and a [blue clock]", pipe.tokenizer)
    with guide(pipe, prompt, NONE, settings=SETTINGS) as guided:
        short(pipe, prompt.text)
    assert guided.trace.images == 1
    assert "cat, blue clock" in repr(guided)
