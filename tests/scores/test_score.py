import pytest
from PIL import Image

from heedful.errors import SettingsError
from heedful.prompts import Prompt
from heedful.scores import ClipText, Score, WorldScore, evaluate


@pytest.fixture
def render(renders: list[Image.Image]) -> Image.Image:
    return renders[0]


@pytest.fixture
def prompt(captions: list[Prompt]) -> Prompt:
    """What the first render shows: a brown bow."""
    return captions[0]


def test_figures_are_called_after_their_score(render: Image.Image, prompt: Prompt) -> None:
    values = evaluate([render], [prompt], [WorldScore(), ClipText()])
    assert tuple(values) == (
        "world.success", "world.neglect", "world.leakage", "world.hybrid", "world.duplicate", "world.extra",
        "world.confidence", "clip.text", "clip.text_min",
    )  # fmt: skip
    assert values["world.success"] == [1.0]


def test_two_settings_of_one_score_stand_side_by_side_under_two_names(render: Image.Image, prompt: Prompt) -> None:
    with pytest.raises(SettingsError, match=r"clip\.text twice.*ClipText\(name="):
        evaluate([render], [prompt], [ClipText(), ClipText(templates="imagenet")])
    values = evaluate([render], [prompt], [ClipText(), ClipText(name="clip-80", templates="imagenet")])
    assert values["clip.text"] != values["clip-80.text"]


@pytest.mark.parametrize("score", [WorldScore(), ClipText()], ids=lambda score: score.name)
def test_there_must_be_one_prompt_per_image(score: Score, render: Image.Image, prompt: Prompt) -> None:
    with pytest.raises(SettingsError, match="one prompt per image, got 1 prompts for 2 images"):
        score([render, render], [prompt])
