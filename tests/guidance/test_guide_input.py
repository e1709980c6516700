"""What `guide` accepts and refuses: prompts, concepts, schedulers, losses; each refusal names its remedy."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from heedful.attention import SiteSelection
from heedful.errors import (
    PipelineError,
    SettingsError,
    UnsuitablePrompt,
    UnsupportedBackend,
    UnsupportedPipeline,
    UnsupportedScheduler,
)
from heedful.guidance import A_STAR, NONE, Settings, guide
from heedful.losses import Retention, Segregation
from heedful.prompts import Prompt
from tests.pipelines import SCHEDULER, latents_of, tiny_pipeline, tiny_vae

# diffusers' schedulers hand tensors to numpy in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

TWO = "a cat and a blue clock"
SHORT = Settings(sites=SiteSelection(scale=2), step_size=20.0, guided=1.0)


@pytest.fixture(scope="module")
def pipe() -> Any:
    return tiny_pipeline()


def test_prompt_with_one_concept_is_guided_by_the_other_terms_and_says_so(pipe: Any) -> None:
    with pytest.warns(UserWarning, match="Segregation needs two concepts") as warned:  # noqa: SIM117
        with guide(pipe, ["a cat", "a cat"], A_STAR, settings=SHORT) as guided:
            latents_of(pipe, ["a cat", "a cat"])
    assert len(warned) == 1
    assert guided.trace[0].loss == (0, 0)
    assert guided.trace[1].loss[0] > 0


def test_words_in_marks_are_the_concepts(pipe: Any) -> None:
    with guide(pipe, "a [cat] and a blue clock", NONE, settings=SHORT) as guided:
        latents_of(pipe, guided.prompts[0].text)
    assert guided.maps.names == ("cat",)
    assert guided.prompts[0].text == TWO


def test_block_can_be_printed_before_and_after_a_run(pipe: Any) -> None:
    with guide(pipe, TWO, A_STAR, settings=SHORT) as guided:
        assert repr(guided).splitlines() == ["Guided by a-star: no run yet", "concepts: cat, blue clock"]
        with pytest.raises(PipelineError, match="none yet"):
            _ = guided.trace
        latents_of(pipe, TWO)
    assert repr(guided).startswith("Guided by a-star: Trace of 1 images, 4 steps, 4 guided")


def test_unsuitable_input_is_refused_with_a_remedy(pipe: Any) -> None:
    nothing = Prompt.parse(TWO, pipe.tokenizer, [])
    with pytest.raises(UnsuitablePrompt, match=r"concepts=\[\.\.\.\]"), guide(pipe, nothing, A_STAR):
        pass
    with pytest.raises(SettingsError, match="3 prompts, got 2"), guide(pipe, [TWO] * 3, A_STAR, [["cat"], ["cat"]]):
        pass
    with pytest.raises(SettingsError, match="at least one prompt"), guide(pipe, [], A_STAR):
        pass
    with pytest.raises(UnsupportedPipeline, match="str"), guide("pipeline", TWO, A_STAR):
        pass
    other = type("Pipe", (), {"unet": tiny_vae(), "scheduler": pipe.scheduler, "tokenizer": pipe.tokenizer})()
    with pytest.raises(UnsupportedPipeline, match="AutoencoderKL"), guide(other, TWO, A_STAR):
        pass


def test_prompts_of_the_call_must_be_those_of_the_block(pipe: Any) -> None:
    with pytest.raises(SettingsError, match="same prompts"), guide(pipe, [TWO, TWO], A_STAR, settings=SHORT):
        latents_of(pipe, TWO)


def test_scheduler_that_rewrites_updates_is_refused_only_where_updates_are_made() -> None:
    from diffusers import UniPCMultistepScheduler

    pipe = tiny_pipeline(scheduler=UniPCMultistepScheduler.from_config(SCHEDULER))
    with pytest.raises(UnsupportedScheduler, match="UniPC"), guide(pipe, TWO, A_STAR, settings=SHORT):
        pass
    plain = latents_of(pipe, TWO)
    with guide(pipe, TWO, NONE, settings=SHORT) as guided:
        assert latents_of(pipe, TWO).equal(plain)
    assert len(guided.maps) == 4


def test_scheduler_may_not_change_inside_the_block() -> None:
    from diffusers import EulerDiscreteScheduler

    pipe = tiny_pipeline()
    with pytest.raises(PipelineError, match="before the block"), guide(pipe, TWO, A_STAR, settings=SHORT):
        pipe.scheduler = EulerDiscreteScheduler.from_config(SCHEDULER)
        latents_of(pipe, TWO)


def test_attention_out_of_sight_is_refused() -> None:
    pipe = tiny_pipeline()
    pipe.enable_attention_slicing(1)
    with pytest.raises(UnsupportedBackend), guide(pipe, TWO, A_STAR, settings=SHORT):
        latents_of(pipe, TWO)


def test_inference_mode_is_refused(pipe: Any) -> None:
    with (
        pytest.raises(PipelineError, match="inference_mode"),
        torch.inference_mode(),
        guide(pipe, TWO, A_STAR, settings=SHORT),
    ):
        latents_of(pipe, TWO)


def test_loss_must_have_one_value_per_image(pipe: Any) -> None:
    with (
        pytest.raises(SettingsError, match=r"of shape \(1,\), got \(\)"),
        guide(pipe, TWO, lambda maps, prompts, previous: maps.tokens.sum(), settings=SHORT),
    ):
        latents_of(pipe, TWO)


def test_loss_without_a_gradient_makes_no_update(pipe: Any) -> None:
    plain = latents_of(pipe, TWO)
    with guide(pipe, TWO, Retention(), settings=replace(SHORT, guided=1)) as guided:
        torch.testing.assert_close(latents_of(pipe, TWO), plain)
    assert guided.trace[0].loss == (0,)


def test_segregation_lists_concepts_for_each_prompt(pipe: Any) -> None:
    prompts = [TWO, "a red car and a dog"]
    with guide(pipe, prompts, Segregation(), [["cat", "clock"], ["car", "dog"]], settings=SHORT) as guided:
        latents_of(pipe, prompts)
    assert [len(prompt.concepts) for prompt in guided.prompts] == [2, 2]
