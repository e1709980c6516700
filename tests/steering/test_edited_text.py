"""The edited text of a run: in which rows of which calls the denoiser sees it, and that nothing else is touched."""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from heedful.attention import SiteSelection, find_denoiser, replaced
from heedful.errors import PromptError, SettingsError, UnsupportedPipeline
from heedful.guidance import METHODS, Method, Restart, Settings, TextEdit, guide
from heedful.guidance.methods import NONE, AttendAndExciteLoss
from heedful.steering import ReadTexts, Text
from tests import pipelines
from tests.family_pipelines import FAMILY_PIPELINES
from tests.guidance.test_every_pipeline import settings_of
from tests.guidance.test_guide import state
from tests.pipelines import generator, tiny_pipeline, tiny_sdxl_pipeline
from tests.transformer_pipelines import tiny_flux, tiny_pixart, tiny_sd3

TWO = "a cat and a blue clock"
OTHER = "a red car and a dog"
CLIPS = pytest.mark.parametrize("make", [tiny_pipeline, tiny_sdxl_pipeline, tiny_sd3])


@dataclass(frozen=True, kw_only=True)
class Louder(TextEdit):
    """Adds a number to the states of all nouns and to the pooled embedding."""

    by: float = 1.0

    def edited(self, text: Text, nouns: Sequence[str], read: ReadTexts) -> Text:
        states = text.states.clone()
        states[[index for noun in text.nouns for index in noun]] += self.by
        return replace(text, states=states, pooled=None if text.pooled is None else text.pooled + self.by)


def latents_of(pipe: Any, prompt: Any, **arguments: Any) -> Tensor:
    """The latents after two steps."""
    return pipelines.latents_of(pipe, prompt, **({"num_inference_steps": 2} | arguments))


def settings(edit: TextEdit | None = None, **changes: Any) -> Settings:
    return Settings(**{"sites": SiteSelection(), "text_edit": edit or Louder()} | changes)


class Spy:
    """Between guidance and the denoiser: the text of each call."""

    def __init__(self, pipe: Any):
        self.states: list[Tensor] = []
        self.pooled: list[Tensor | None] = []
        self._denoiser = find_denoiser(pipe)

    def __enter__(self) -> "Spy":
        self._open = replaced(self._denoiser, "forward", self._forward)
        self._replaced = self._open.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(None, None, None)

    def _forward(self, *args: Any, **arguments: Any) -> Any:
        self.states.append(arguments["encoder_hidden_states"].clone())
        given = arguments.get("added_cond_kwargs") or {}
        self.pooled.append(arguments.get("pooled_projections", given.get("text_embeds")))
        return self._replaced.original(*args, **arguments)


def seen(pipe: Any, prompt: Any, edit: TextEdit | None, **arguments: Any) -> Spy:
    with Spy(pipe) as spy, guide(pipe, prompt, NONE, settings=Settings(sites=SiteSelection(), text_edit=edit)):
        latents_of(pipe, prompt, **arguments)
    return spy


@CLIPS
def test_nouns_of_the_conditional_rows_change_in_every_step_and_nothing_else(make: Any) -> None:
    """Two prompts, two images each, under classifier-free guidance; what T5 reads is not touched."""
    pipe: Any = make()
    plain = seen(pipe, [TWO, OTHER], None, num_images_per_prompt=2)
    found = seen(pipe, [TWO, OTHER], Louder(), num_images_per_prompt=2)
    with guide(pipe, [TWO, OTHER], NONE) as guided:
        pass
    length = pipe.tokenizer.model_max_length
    for was, now, pooled_was, pooled in zip(plain.states, found.states, plain.pooled, found.pooled, strict=True):
        expected = was.clone()
        for item in range(4):
            nouns = [index for concept in guided.prompts[item // 2].concepts for index in concept.token_indices]
            expected[4 + item, [index for index in nouns if index < length]] += 1.0
        if make is tiny_sd3:
            assert any(index >= length for index in nouns)
        torch.testing.assert_close(now, expected)
        assert now[:4].equal(was[:4]) and not now[4:].equal(was[4:])
        if pooled is not None and pooled_was is not None:
            assert pooled[:4].equal(pooled_was[:4])
            torch.testing.assert_close(pooled[4:], pooled_was[4:] + 1.0)
    assert (found.pooled[0] is None) is (make is tiny_pipeline)
    assert len(found.states) == 2


@CLIPS
def test_run_is_that_of_embeddings_edited_by_hand_and_all_is_as_before_afterwards(make: Any) -> None:
    pipe: Any = make()
    arguments: dict[str, Any] = {"prompt_2": None, "prompt_3": None} if make is tiny_sd3 else {}
    with torch.no_grad():
        given = pipe.encode_prompt(
            TWO, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True, **arguments
        )
    plain, before = latents_of(pipe, TWO), state_of(pipe)
    with guide(pipe, TWO, NONE, settings=settings()) as guided:
        edited, again = latents_of(pipe, TWO), latents_of(pipe, TWO)
    nouns = [index for concept in guided.prompts[0].concepts for index in concept.token_indices]
    names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
    by_hand = {name: value.clone() for name, value in zip(names, given, strict=False)}
    by_hand["prompt_embeds"][:, [index for index in nouns if index < pipe.tokenizer.model_max_length]] += 1.0
    if "pooled_prompt_embeds" in by_hand:
        by_hand["pooled_prompt_embeds"] += 1.0
    assert edited.equal(latents_of(pipe, None, **by_hand))
    assert edited.equal(again) and not edited.equal(plain)
    assert latents_of(pipe, TWO).equal(plain) and state_of(pipe) == before
    with guide(pipe, TWO, NONE, settings=settings(Louder(by=0.0))):
        assert latents_of(pipe, TWO).equal(plain)


def state_of(pipe: Any) -> Any:
    return state(pipe) if hasattr(pipe, "unet") else sorted(vars(pipe.transformer))


def test_embeddings_that_were_made_elsewhere_are_edited_too_and_stay_as_they_are() -> None:
    pipe: Any = tiny_pipeline()
    given = pipe.encode_prompt(TWO, "cpu", 1, True)
    kept = given[0].clone()
    with guide(pipe, TWO, NONE, settings=settings()):
        edited = latents_of(pipe, TWO)
        passed = latents_of(pipe, None, prompt_embeds=given[0], negative_prompt_embeds=given[1])
    assert passed.equal(edited) and given[0].equal(kept)


def test_image_is_the_same_alone_and_beside_others_and_without_negative_prompt() -> None:
    pipe: Any = tiny_pipeline()
    both = seen(pipe, [TWO, OTHER], Louder(), generator=[generator(), generator(1)]).states[0]
    torch.testing.assert_close(seen(pipe, TWO, Louder(), guidance_scale=1.0).states[0][0], both[2])


def test_prompt_with_one_concept_keeps_its_text_which_is_said_once() -> None:
    pipe: Any = tiny_pipeline()
    plain = seen(pipe, ["a cat", TWO], None)
    with pytest.warns(UserWarning, match="Louder needs two concepts, and 'a cat' has 'cat': its text stays") as said:
        found = seen(pipe, ["a cat", TWO], Louder())
    assert len(said) == 1
    assert found.states[1][2].equal(plain.states[1][2]) and not found.states[1][3].equal(plain.states[1][3])
    with (
        pytest.warns(UserWarning, match="'a photo' has none"),
        guide(pipe, "a photo", NONE, concepts=[], settings=settings()),
    ):
        pass


def test_trace_says_how_far_the_text_went() -> None:
    pipe: Any = tiny_pipeline()
    with guide(pipe, TWO, NONE, settings=settings()) as guided:
        latents_of(pipe, TWO, num_images_per_prompt=2)
    with torch.no_grad():
        states = pipe.encode_prompt(TWO, "cpu", 1, False)[0]
    expected = (2 * 16) ** 0.5 / float(states.norm())
    assert guided.trace.text_shift == pytest.approx((expected, expected), rel=1e-4)
    assert json.loads(guided.trace.to_json())["text_shift"] == list(guided.trace.text_shift)
    assert f"text moved by {expected:.3f}, {expected:.3f} of its length" in repr(guided.trace)


def test_restarted_run_and_gradient_passes_see_the_edited_text() -> None:
    pipe: Any = tiny_pipeline()
    restart = Restart(step=0.5, limit=-1e9, tries=1, loss=AttendAndExciteLoss())
    own = settings(restart=restart, guided=0.5)
    expected = seen(pipe, TWO, Louder()).states[0]
    with Spy(pipe) as spy, guide(pipe, TWO, Method(name="excite", loss=AttendAndExciteLoss()), settings=own) as guided:
        latents_of(pipe, TWO)
    assert guided.trace.restarts[0].tries == 1
    alone = [states for states in spy.states if len(states) == 1]
    whole = [states for states in spy.states if len(states) == 2]
    assert len(alone) > 2 and len(whole) == 2
    assert all(states.equal(expected) for states in whole) and all(states.equal(expected[1:]) for states in alone)


def test_rows_that_are_dropped_on_the_way_change_nothing_and_another_text_is_said() -> None:
    pipe: Any = tiny_pipeline()
    expected = seen(pipe, TWO, Louder()).states[0][1:]

    def drop(pipe: Any, step: int, timestep: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        pipe._guidance_scale = 0.0
        return {"prompt_embeds": tensors["prompt_embeds"][-1:]}

    def change(pipe: Any, step: int, timestep: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"prompt_embeds": tensors["prompt_embeds"] + 1.0}

    told: dict[str, Any] = {"callback_on_step_end_tensor_inputs": ["latents", "prompt_embeds"]}
    assert seen(pipe, TWO, Louder(), callback_on_step_end=drop, **told).states[1].equal(expected)
    with pytest.warns(UserWarning, match="another one in a later step") as said:
        found = seen(pipe, TWO, Louder(), callback_on_step_end=change, **told)
    assert len(said) == 1
    torch.testing.assert_close(found.states[1], seen(pipe, TWO, None).states[0] + 1.0)


class Comparisons(TorchDispatchMode):
    """Counts how often a whole text (row, token, channel) is compared with another."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += function is torch.ops.aten.eq.Tensor and args[0].ndim == 3
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(("change", "comparisons"), [("nothing", 1), ("copy", 3), ("write", 3)])
def test_tensor_that_was_there_in_the_step_before_is_not_compared_again(change: str, comparisons: int) -> None:
    """A copy is compared, and gets the edited text; so is a tensor into which something was written, which does not."""
    pipe: Any = tiny_pipeline()
    first = seen(pipe, TWO, Louder()).states[0]

    def changed(pipe: Any, step: int, timestep: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        if change == "write":
            tensors["prompt_embeds"] += 1.0
        return {name: tensor.clone() if change == "copy" else tensor for name, tensor in tensors.items()}

    told: dict[str, Any] = {"num_inference_steps": 3, "callback_on_step_end_tensor_inputs": ["prompt_embeds"]}
    said = pytest.warns(UserWarning, match="another one in a later step") if change == "write" else nullcontext()
    with Comparisons() as compared, said:
        states = seen(pipe, TWO, Louder(), callback_on_step_end=changed, **told).states
    assert compared.count == comparisons and len(states) == 3
    assert all(each.equal(first) for each in states) is (change != "write")


def test_row_with_perturbed_attention_has_the_edited_text() -> None:
    run = FAMILY_PIPELINES["StableDiffusionPAGPipeline"]()
    own = replace(settings_of(run, 0.0), text_edit=Louder())
    with Spy(run.pipe) as spy, guide(run.pipe, run.prompts, NONE, settings=own):
        run()
    unconditional, conditional, perturbed = spy.states[0].chunk(3)
    assert perturbed.equal(conditional) and not conditional.equal(unconditional)
    plain = run.pipe.encode_prompt(list(run.prompts), "cpu", 2, False)[0]
    assert (conditional - plain).abs().amax() > 0.9


@pytest.mark.parametrize("make", [tiny_flux, tiny_pixart])
def test_text_that_is_not_of_clip_is_refused(make: Any) -> None:
    for method in ("tebopt", "dos"):
        with (
            pytest.raises(UnsupportedPipeline, match=r"where CLIP reads it.*SDXL.*embedded"),
            guide(make(), TWO, method),
        ):
            pass


def test_second_text_and_long_text_are_refused() -> None:
    pipe: Any = tiny_sdxl_pipeline()
    with pytest.raises(PromptError, match="one text for all text encoders"):
        seen(pipe, TWO, Louder(), prompt_2="a dog")
    assert seen(pipe, TWO, Louder(), prompt_2=TWO).states
    small = tiny_pipeline()
    given = torch.zeros(1, 32, 16)
    with guide(small, TWO, NONE, settings=settings()), pytest.raises(SettingsError, match="a text of 16 tokens"):
        latents_of(small, None, prompt_embeds=given, negative_prompt_embeds=given)


@pytest.mark.parametrize("name", ["tebopt", "dos"])
@CLIPS
def test_published_edits_run_on_every_kind(make: Any, name: str) -> None:
    """With the words of the tiny tokenizers."""
    pipe: Any = make()
    plain, own = latents_of(pipe, TWO), METHODS[name].embedded
    assert own is not None
    with guide(pipe, TWO, name, settings=settings(own.text_edit)) as guided:
        edited = latents_of(pipe, TWO)
    assert edited.isfinite().all() and not edited.equal(plain)
    assert 0 < guided.trace.text_shift[0] < 2
    assert guided.trace.relative_cost == 1.0


def test_half_precision_keeps_the_bits_of_what_is_not_edited_and_inference_mode_is_no_hindrance() -> None:
    pipe: Any = tiny_pipeline(torch.bfloat16)
    plain, found = (seen(pipe, TWO, edit).states[0] for edit in (None, Louder()))
    with guide(pipe, TWO, NONE) as guided:
        pass
    nouns = [index for concept in guided.prompts[0].concepts for index in concept.token_indices]
    others = [index for index in range(plain.shape[1]) if index not in nouns]
    assert found.dtype == torch.bfloat16 and found[:, others].equal(plain[:, others])
    assert not found[1, nouns].equal(plain[1, nouns])
    own = METHODS["tebopt"].embedded
    assert own is not None
    with torch.inference_mode(), guide(pipe, TWO, "tebopt", settings=settings(own.text_edit)) as guided:
        latents_of(pipe, TWO)
    assert guided.trace.text_shift[0] > 0
