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
from heedful.guidance import Settings, denoiser_of, guide
from heedful.guidance.methods import A_STAR, NONE, Retention, Segregation
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
        assert repr(guided) == "Guided by a-star\n'a cat and a blue clock': cat, blue clock\nno run yet"
        assert "no run yet" in guided._repr_html_()
        with pytest.raises(PipelineError, match="none yet"):
            _ = guided.trace
        latents_of(pipe, TWO)
    assert repr(guided).splitlines()[2].startswith("Trace of 1 images, 4 steps, 4 guided")
    html = guided._repr_html_()
    assert "&#x27;a cat and a blue clock&#x27;: cat, blue clock" in html
    assert "<td>3</td>" in html and "<iframe" in html and "heedfulViewer" in html


def test_method_may_be_a_name_and_the_default_is_heedful(pipe: Any) -> None:
    with guide(pipe, TWO, "a-star") as guided:
        assert guided.method is A_STAR
    with guide(pipe, TWO) as guided:
        assert guided.method.name == "heedful"


@pytest.mark.parametrize(
    "wrong, message",
    [
        ("astar", r"a method, one of none, .*, got 'astar'. Did you mean 'a-star'\?"),
        (Segregation, r"got the class Segregation. Make one of the class: Segregation\(\)"),
        (type(A_STAR), r"got the class Method"),
    ],
)
def test_what_is_no_method_is_refused_with_the_remedy(pipe: Any, wrong: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message), guide(pipe, TWO, wrong):
        pass
    assert "forward" not in vars(pipe.unet)


def test_unsuitable_input_is_refused_with_a_remedy(pipe: Any) -> None:
    nothing = Prompt.parse(TWO, pipe.tokenizer, [])
    with pytest.raises(UnsuitablePrompt, match=r"concepts=\[\.\.\.\]"), guide(pipe, nothing, A_STAR):
        pass
    with pytest.raises(SettingsError, match="3 prompts, got 2"), guide(pipe, [TWO] * 3, A_STAR, [["cat"], ["cat"]]):
        pass
    with pytest.raises(SettingsError, match="at least one prompt"), guide(pipe, [], A_STAR):
        pass
    with pytest.raises(UnsupportedPipeline, match="str"):
        denoiser_of("pipeline")
    parts = {"unet": tiny_vae(), "scheduler": pipe.scheduler, "tokenizer": pipe.tokenizer}
    other = type("Pipe", (), {**parts, "__call__": print})()
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


def test_inference_mode_is_refused_only_where_gradients_are_needed(pipe: Any) -> None:
    with (
        pytest.raises(PipelineError, match="inference_mode"),
        torch.inference_mode(),
        guide(pipe, TWO, A_STAR, settings=SHORT),
    ):
        latents_of(pipe, TWO)
    with torch.inference_mode(), guide(pipe, TWO, NONE, settings=SHORT) as guided:
        latents_of(pipe, TWO)
    assert len(guided.maps) == 4


def test_weights_of_inference_mode_are_refused_on_entry() -> None:
    with torch.inference_mode():
        pipe = tiny_pipeline()
    with pytest.raises(PipelineError, match="Load the pipeline outside of it"), guide(pipe, TWO, A_STAR):
        pass
    with guide(pipe, TWO, NONE, settings=SHORT):
        latents_of(pipe, TWO)


def test_loss_must_have_one_value_per_image(pipe: Any) -> None:
    with (
        pytest.raises(SettingsError, match=r"of shape \(1,\), got \(\)"),
        guide(pipe, TWO, lambda maps, prompts, previous: maps.tokens.sum(), settings=SHORT),
    ):
        latents_of(pipe, TWO)


def test_loss_without_a_gradient_makes_no_update(pipe: Any) -> None:
    plain = latents_of(pipe, TWO)
    with guide(pipe, TWO, Retention(), settings=replace(SHORT, guided=0.25)) as guided:
        torch.testing.assert_close(latents_of(pipe, TWO), plain)
    assert guided.trace[0].loss == (0,)


def test_segregation_lists_concepts_for_each_prompt(pipe: Any) -> None:
    prompts = [TWO, "a red car and a dog"]
    with guide(pipe, prompts, Segregation(), [["cat", "clock"], ["car", "dog"]], settings=SHORT) as guided:
        latents_of(pipe, prompts)
    assert [len(prompt.concepts) for prompt in guided.prompts] == [2, 2]
