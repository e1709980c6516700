import pytest
import torch
from PIL import Image
from transformers import BertTokenizer, BlipForConditionalGeneration, BlipImageProcessorPil

from heedful.prompts import Prompt
from heedful.scores import BlipCaption
from heedful.scores.embedding import cosine, load_embedder
from heedful.scores.templates import sentences
from tests.score_models import caption_folder, clip_folder


@pytest.fixture(scope="module")
def score(tmp_path_factory: pytest.TempPathFactory) -> BlipCaption:
    folder = tmp_path_factory.mktemp("models")
    return BlipCaption(
        captioner=str(caption_folder(folder / "blip")), model=str(clip_folder(folder / "clip")), longest=16
    )


def test_captions_are_those_of_transformers_without_their_beginning(
    score: BlipCaption, renders: list[Image.Image]
) -> None:
    model = BlipForConditionalGeneration.from_pretrained(score.captioner).eval()
    tokenizer = BertTokenizer.from_pretrained(score.captioner)
    pixels = BlipImageProcessorPil.from_pretrained(score.captioner)(renders[:4], return_tensors="pt").pixel_values
    for image, caption in zip(pixels, score.captions(renders[:4]), strict=True):
        words = tokenizer("a picture of", return_tensors="pt").input_ids
        written = model.generate(image[None], input_ids=words, num_beams=3, min_length=10, max_length=16)
        assert tokenizer.decode(written[0], skip_special_tokens=True) == f"a picture of {caption}"


def test_the_caption_is_compared_plainly_and_the_prompt_in_templates(
    score: BlipCaption, renders: list[Image.Image], captions: list[Prompt]
) -> None:
    embedder = load_embedder(score.model, "cpu")
    (caption,) = score.captions(renders[:1])
    expected = cosine(embedder.text((caption,)), embedder.text(sentences(captions[0].text, "imagenet")))
    assert score(renders[:1], captions[:1])["text"] == [expected]


def test_lengths_and_beams_are_settings(score: BlipCaption, renders: list[Image.Image]) -> None:
    short = BlipCaption(captioner=score.captioner, shortest=5, longest=6).captions(renders[:1])
    assert len(short[0].split()) <= 2
    assert torch.is_grad_enabled()
