"""What pipelines write around a prompt: instructions, chat templates, padding, quoted text."""

from types import SimpleNamespace

import pytest

from heedful.errors import PromptError, SettingsError, UnsupportedPipeline
from heedful.guidance import NONE, guide
from heedful.prompts import Prompt
from heedful.steering.texts import parse_prompt
from tests.every_pipeline import PROMPTS
from tests.family_pipelines import FAMILY_PIPELINES
from tests.new_transformers import tiny_longcat_image
from tests.single_stream_pipelines import tiny_cogview4, tiny_sana

TWO = "a cat and a blue clock"


def indices(prompt: Prompt) -> list[tuple[int, ...]]:
    return [concept.token_indices for concept in prompt.concepts]


def test_instruction_of_sana_is_dropped_but_for_its_first_token() -> None:
    """Its default is of hundreds of tokens, of which the denoiser sees the start and what follows the last."""
    prompt = parse_prompt(tiny_sana(), "A Cat and a blue Clock")
    assert prompt.text == TWO
    assert prompt.tokens[:2] == ("<bos>", "a")
    assert [prompt.tokens[index] for (index,) in indices(prompt)] == ["cat", "clock"]
    assert prompt.has_start


@pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")
@pytest.mark.parametrize("instruction", [None, ["a cat on a mat", "a dog: "]])
def test_instruction_that_the_call_gives_is_followed(instruction: list[str] | None) -> None:
    run = FAMILY_PIPELINES["SanaPipeline"]()
    run.arguments |= {"complex_human_instruction": instruction, "num_inference_steps": 1}
    with guide(run.pipe, PROMPTS, NONE) as guided:
        run()
    own = run.pipe.tokenizer(PROMPTS[0]).input_ids
    for prompt in guided.maps.prompts[:2]:
        assert [prompt.tokens[index] for (index,) in indices(prompt)] == ["cat", "clock"]
        assert len(prompt.tokens) in (len(own), len(own) + 1)


def test_system_prompt_that_the_call_gives_is_followed() -> None:
    run = FAMILY_PIPELINES["Lumina2Pipeline"]()
    run.arguments |= {"system_prompt": "a mat with a cat", "num_inference_steps": 1}
    with guide(run.pipe, PROMPTS, NONE) as guided:
        run()
    (prompt, *_) = guided.maps.prompts
    assert prompt.first < guided.prompts[0].first
    assert [prompt.tokens[index] for (index,) in indices(prompt)] == ["cat", "clock"]


def test_mask_of_another_prompt_is_noticed() -> None:
    """Lumina's pipeline repeats the masks of several prompts in another order than their embeddings."""
    run = FAMILY_PIPELINES["Lumina2Pipeline"]()
    prompts = ["a cat on the mat with the dog and a blue clock", "a dog"]
    run.arguments |= {"prompt": prompts, "num_inference_steps": 1}
    with guide(run.pipe, prompts, NONE), pytest.raises(SettingsError, match="masks of other prompts"):
        run.pipe(guidance_scale=1.0, output_type="latent", num_images_per_prompt=2, **run.arguments)


def test_padding_on_the_left_counts_the_prompts_beside() -> None:
    """GLM pads to the longest prompt of a call, on the left."""
    run = FAMILY_PIPELINES["CogView4Pipeline"]()
    prompts = ["a cat", "a red car on the mat with the dog and a blue clock"]
    with guide(run.pipe, prompts, NONE) as guided:
        run.pipe(list(prompts), height=32, width=48, num_inference_steps=1, output_type="latent")
    short, long = guided.maps.prompts
    assert short.end == long.end
    assert short.first > long.first
    assert indices(guided.prompts[0]) != indices(short)


def test_beginning_that_was_cut_off_is_noticed() -> None:
    pipe = tiny_cogview4()
    long = "a red car on the mat with the dog and a blue clock"
    with guide(pipe, long, NONE, concepts=["clock"]), pytest.raises(SettingsError, match="max_sequence_length"):
        pipe(long, height=32, width=48, num_inference_steps=1, max_sequence_length=4, output_type="latent")


def test_quoted_text_stands_before_the_prompt() -> None:
    """ByT5 reads what is quoted, and its tokens come first in each row that has any."""
    run = FAMILY_PIPELINES["HunyuanImagePipeline"]()
    prompts = ['a cat with "ab" on a mat', "a cat on a mat"]
    run.pipe.tokenizer_2_max_length = 32
    with guide(run.pipe, prompts, NONE, concepts=["cat"]) as guided:
        run.pipe(list(prompts), height=16, width=24, num_inference_steps=1, output_type="latent")
    quoted, plain = guided.maps.prompts
    assert indices(quoted)[0][0] == indices(plain)[0][0] + len(run.pipe.tokenizer_2('Text "ab". ').input_ids)


def test_modular_pipeline_keeps_its_template_in_a_block() -> None:
    run = FAMILY_PIPELINES["QwenImageModularPipeline"]()
    prompt = parse_prompt(run.pipe, TWO)
    assert [prompt.tokens[index] for (index,) in indices(prompt)] == ["cat", "clock"]
    assert len(run.pipe.tokenizer(TWO).input_ids) < len(prompt.tokens)


def test_pipeline_that_does_not_say_how_it_writes_a_prompt_is_refused() -> None:
    run = FAMILY_PIPELINES["QwenImagePipeline"]()
    loop = SimpleNamespace(transformer=run.pipe.transformer, scheduler=run.pipe.scheduler, tokenizer=run.pipe.tokenizer)
    with pytest.raises(UnsupportedPipeline, match="says how it writes a prompt"), guide(loop, TWO, NONE):
        pass


def test_quoted_text_is_refused_where_it_is_read_by_letters() -> None:
    pipe = tiny_longcat_image()
    assert parse_prompt(pipe, "a cat and the dog's clock").concepts[0].noun == "cat"
    with pytest.raises(PromptError, match=r"letter by letter.*Prompt with the token indices"):
        parse_prompt(pipe, 'a sign that says "open" and a cat')
