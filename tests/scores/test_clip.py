from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heedful.prompts import Prompt
from heedful.scores import ClipText
from heedful.scores.embedding import load_embedder
from heedful.scores.templates import sentences
from heedful.world.tokenizer import build_tokenizer
from tests.score_models import clip_folder


def parsed(*texts: str) -> list[Prompt]:
    tokenizer = build_tokenizer()
    return [Prompt.parse(text, tokenizer) for text in texts]


def test_the_right_caption_scores_higher_than_a_wrong_one(renders: list[Image.Image], captions: list[Prompt]) -> None:
    """By the world's own CLIP; wrong is the caption of the next render."""
    right, wrong = (np.array(ClipText()(renders, each)["text"]) for each in (captions, captions[1:] + captions[:1]))
    assert np.mean(right > wrong) >= 0.98
    assert right.mean() > 0.7
    assert wrong.mean() < 0.1


def test_a_concept_that_is_missing_lowers_the_minimum_most(renders: list[Image.Image]) -> None:
    """The second render shows a green crown and a yellow backpack."""
    prompts = parsed("a green crown and a yellow backpack", "a green crown and a bear")
    values = ClipText()([renders[1]] * 2, prompts)
    whole, half = (values[name][0] - values[name][1] for name in ("text", "text_min"))
    assert whole > 0.2
    assert half > 0.2
    assert values["text_min"][1] == pytest.approx(ClipText()([renders[1]], parsed("a bear"))["text"][0], abs=1e-6)


def test_a_prompt_of_one_part_has_its_own_cosine_as_minimum(renders: list[Image.Image]) -> None:
    values = ClipText()([renders[0]], parsed("a brown bow"))
    assert values["text"] == values["text_min"]


def test_a_placeholder_token_changes_nothing(renders: list[Image.Image]) -> None:
    with_it, without = (ClipText()([renders[0]], parsed(text)) for text in ("a <bow1> brown bow", "a brown bow"))
    assert with_it == without


def test_the_template_average_is_the_mean_of_unit_vectors_made_unit(renders: list[Image.Image], tmp_path: Path) -> None:
    folder = str(clip_folder(tmp_path / "clip"))
    embedder = load_embedder(folder, "cpu")
    each = np.stack([embedder.text((text,)).numpy() for text in sentences("a cat", "imagenet")])
    mean = each.mean(0) / np.linalg.norm(each.mean(0))
    expected = float(embedder.images([renders[0]])[0].numpy() @ mean)
    values = ClipText(model=folder, templates="imagenet")([renders[0]], parsed("a cat"))
    assert values["text"] == [pytest.approx(expected, abs=1e-6)]


def test_pictures_of_any_mode_and_size_are_read(renders: list[Image.Image]) -> None:
    rgba, large = renders[0].convert("RGBA"), renders[0].resize((512, 512), Image.Resampling.NEAREST)
    values = ClipText()([renders[0], rgba, large], parsed(*["a brown bow"] * 3))["text"]
    assert values[1] == pytest.approx(values[0], abs=1e-5)
    assert values[2] == pytest.approx(values[0], abs=0.05)
