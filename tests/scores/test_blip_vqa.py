import pytest
import torch
from PIL import Image
from transformers import BertTokenizer, BlipForQuestionAnswering, BlipImageProcessorPil

from heedful.prompts import Prompt
from heedful.scores import BlipVQA
from heedful.scores.blip_vqa import questions
from heedful.world.tokenizer import build_tokenizer
from tests.score_models import vqa_folder


@pytest.fixture(scope="module")
def score(tmp_path_factory: pytest.TempPathFactory) -> BlipVQA:
    return BlipVQA(model=str(vqa_folder(tmp_path_factory.mktemp("models") / "blip")))


def parsed(text: str, concepts: list[str] | None = None) -> Prompt:
    return Prompt.parse(text, build_tokenizer(), concepts)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (parsed("a green bench and a red car"), ["a green bench?", "a red car?"]),
        (parsed("The cat with an apple"), ["The cat?", "an apple?"]),
        (parsed("cats in a bowl", ["cats"]), ["cats?"]),
        (parsed("a <cat1> cat and a blue clock"), ["a cat?", "a blue clock?"]),
        (parsed("a blue clock", ["clock"]), ["clock?"]),
        (parsed("a red"), []),
    ],
    ids=lambda each: each.text if isinstance(each, Prompt) else "",
)
def test_a_question_is_the_phrase_with_its_article(prompt: Prompt, expected: list[str]) -> None:
    assert questions(prompt) == expected


def test_the_probability_is_that_of_the_first_word_of_the_answer(score: BlipVQA, renders: list[Image.Image]) -> None:
    """Against `generate` of transformers, told as BLIP is that a picture is looked at."""
    model = BlipForQuestionAnswering.from_pretrained(score.model).eval()
    tokenizer = BertTokenizer.from_pretrained(score.model)
    pixels = BlipImageProcessorPil.from_pretrained(score.model)(renders[:3], return_tensors="pt").pixel_values
    words = tokenizer("a red clock?", return_tensors="pt").input_ids
    words[:, 0] = model.config.text_config.vocab_size - 1
    for image, value in zip(pixels, score(renders[:3], [parsed("a red clock")] * 3)["yes"], strict=True):
        answer = model.generate(
            pixel_values=image[None],
            input_ids=words,
            max_new_tokens=1,
            output_logits=True,
            return_dict_in_generate=True,
        )
        yes, no = answer.logits[0][0, tokenizer.convert_tokens_to_ids(["yes", "no"])].softmax(0).tolist()
        assert value == pytest.approx(yes, abs=1e-5)
        assert yes + no == pytest.approx(1)


def test_several_questions_are_multiplied_and_the_least_sure_is_kept(
    score: BlipVQA, renders: list[Image.Image]
) -> None:
    both = score(renders[:1], [parsed("a cat and a blue clock")])
    each = [score(renders[:1], [parsed(text)])["yes"][0] for text in ("a cat", "a blue clock")]
    assert None not in each
    assert both["yes"] == [pytest.approx(each[0] * each[1], abs=1e-5)]
    assert both["yes_min"] == [pytest.approx(min(each), abs=1e-5)]


def test_a_prompt_without_concepts_is_not_asked_about(score: BlipVQA, renders: list[Image.Image]) -> None:
    assert score(renders[:1], [parsed("a red")]) == {"yes": [None], "yes_min": [None]}
    assert torch.is_grad_enabled()
