"""Prompts with weights: the pipeline gets weighted embeddings; guidance, maps and losses know the text without them."""

from typing import Any

import pytest
import torch

from heedful.errors import PromptError, UnsupportedPipeline
from heedful.guidance import Settings, embeddings_of, guide, parse_prompt
from heedful.guidance.methods import NONE, AttendAndExciteLoss
from tests.guidance.test_every_pipeline import PIPELINES, settings_of
from tests.pipelines import latents_of, tiny_pipeline, tiny_sdxl_pipeline
from tests.transformer_pipelines import tiny_flux, tiny_sd3

TEXT = "a red cat and a blue clock"
WEIGHTED = "a (red)1.4 cat and a (blue)0.5 clock"
SETTINGS = Settings(
    sites=settings_of(PIPELINES["StableDiffusionPipeline"](), 0.3).sites, step_rule="rms", step_size=0.3
)


def encoded(pipe: Any, text: str) -> dict[str, torch.Tensor]:
    """What the pipeline itself makes of a text, as arguments of its call."""
    found = pipe.encode_prompt(text, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True)
    names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
    return dict(zip(names, found, strict=False))


def test_weights_by_hand_are_guided_by_the_text_without_them() -> None:
    """As any tool for weights makes them: the embeddings of a word moved away from those of the empty prompt."""
    pipe = tiny_pipeline()
    given, empty = encoded(pipe, TEXT), encoded(pipe, "")
    red = 2
    moved = given["prompt_embeds"].clone()
    moved[:, red] = empty["prompt_embeds"][:, red] + 3.0 * (moved - empty["prompt_embeds"])[:, red]
    runs = {}
    for name, embeddings in (("plain", given["prompt_embeds"]), ("moved", moved)):
        with guide(pipe, TEXT, AttendAndExciteLoss(), settings=SETTINGS) as guided:
            latents_of(pipe, None, **(given | {"prompt_embeds": embeddings}))  # type: ignore[arg-type]
        assert [concept.token_indices for concept in guided.prompts[0].concepts] == [(3,), (7,)]
        losses = [sum(step.loss) for step in guided.trace if step.is_guided]
        assert losses[-1] < losses[0]
        runs[name] = guided.maps["cat"]
    assert not torch.allclose(runs["plain"], runs["moved"])


@pytest.mark.parametrize("make", [tiny_pipeline, tiny_sdxl_pipeline])
def test_embeddings_without_a_weight_are_those_of_the_pipeline(make: Any) -> None:
    pytest.importorskip("compel")
    pipe = make()
    made = embeddings_of(pipe, parse_prompt(pipe, TEXT, weights=True))
    expected = encoded(pipe, TEXT)
    assert made.keys() == {name for name, value in expected.items() if value is not None}
    for name, value in made.items():
        torch.testing.assert_close(value, expected[name])


@pytest.mark.parametrize("make", [tiny_pipeline, tiny_sdxl_pipeline])
def test_guidance_sees_the_text_and_the_pipeline_the_weights(make: Any) -> None:
    pytest.importorskip("compel")
    pipe = make()
    prompts = [parse_prompt(pipe, text, weights=True) for text in (WEIGHTED, "a cat and a clock")]
    assert [prompt.text for prompt in prompts] == [TEXT, "a cat and a clock"]
    assert [prompt.weighted for prompt in prompts] == [WEIGHTED, ""]
    made = embeddings_of(pipe, prompts)
    plain = encoded(pipe, TEXT)["prompt_embeds"][0]
    changed = (made["prompt_embeds"][0] - plain).abs().amax(-1) > 1e-6
    assert changed[2] and changed[6] and not changed[:2].any()
    with guide(pipe, prompts, NONE) as guided:
        latents_of(pipe, None, **made)  # type: ignore[arg-type]
    assert guided.maps.concepts(0)[0].shape[0] == 2
    if make is tiny_pipeline:
        with guide(pipe, prompts[0], AttendAndExciteLoss(), settings=SETTINGS) as guided:
            latents_of(pipe, None, **embeddings_of(pipe, prompts[0]))  # type: ignore[arg-type]
        losses = [sum(step.loss) for step in guided.trace if step.is_guided]
        assert losses[-1] < losses[0]


def test_a_weight_scales_the_difference_from_the_empty_prompt() -> None:
    pytest.importorskip("compel")
    pipe = tiny_pipeline()
    made = embeddings_of(pipe, parse_prompt(pipe, "a (red)1.4 cat", weights=True), "a (dog)1.3")
    plain, empty = encoded(pipe, "a red cat")["prompt_embeds"], encoded(pipe, "")["prompt_embeds"]
    expected = plain.clone()
    expected[:, 2] = empty[:, 2] + 1.4 * (plain - empty)[:, 2]
    torch.testing.assert_close(made["prompt_embeds"], expected)
    negative = encoded(pipe, "a dog")["prompt_embeds"]
    assert ((made["negative_prompt_embeds"] - negative).abs().amax(-1) > 1e-6).sum() == 1


def test_the_text_in_place_of_the_embeddings_is_refused() -> None:
    pytest.importorskip("compel")
    pipe = tiny_pipeline()
    prompt = parse_prompt(pipe, WEIGHTED, weights=True)
    with guide(pipe, prompt, NONE), pytest.raises(PromptError, match=r"Expected the embeddings of .*embeddings_of"):
        latents_of(pipe, prompt.text)


@pytest.mark.parametrize("make", [tiny_flux, tiny_sd3])
def test_other_text_encoders_are_refused(make: Any) -> None:
    with pytest.raises(UnsupportedPipeline, match=r"whose text CLIP alone reads .* for weights"):
        parse_prompt(make(), WEIGHTED, weights=True)


def test_tokens_that_compel_reads_otherwise_are_refused() -> None:
    pytest.importorskip("compel")
    pipe = tiny_pipeline()
    with pytest.raises(PromptError, match="leave the tokens of"):
        embeddings_of(pipe, parse_prompt(pipe, "a cat (asleep) here"))
