from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heedful.errors import SettingsError
from heedful.prompts import Prompt
from heedful.scores import ClipImage, DinoImage, Original, WorldBoxes
from heedful.world.tokenizer import build_tokenizer
from tests.score_models import dino_folder

CROWN, BACKPACK = 1, 4
"""The render of a green crown and a yellow backpack; where they are is asked of the detector."""


@pytest.fixture(scope="module")
def prompt() -> Prompt:
    return Prompt.parse("a green crown and a yellow backpack", build_tokenizer())


@pytest.fixture
def photo(tmp_path: Path, renders: list[Image.Image]) -> Path:
    renders[1].save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def crown(photo: Path, renders: list[Image.Image], prompt: Prompt) -> Original:
    (box,) = WorldBoxes()([renders[1]], [prompt])[0]["crown"]
    return Original(image=photo, concept="crown", box=box)


def test_an_image_is_most_like_itself(photo: Path, renders: list[Image.Image], prompt: Prompt, tmp_path: Path) -> None:
    for score in (
        ClipImage(originals=(Original(image=photo),)),
        DinoImage(originals=(Original(image=photo),), model=str(dino_folder(tmp_path / "dino"))),
    ):
        values = np.array(score(renders[:20], [prompt] * 20)["image"])
        assert values[1] == pytest.approx(1, abs=1e-5)
        assert values.argmax() == 1
        assert np.delete(values, 1).max() < 0.999


def test_the_worlds_clip_finds_the_concept_again_in_another_scene(
    crown: Original, renders: list[Image.Image], captions: list[Prompt]
) -> None:
    """Crops of green crowns are nearer to the original than crowns of other colours are."""
    crowned = [
        item for item, each in enumerate(captions) if item != 1 and any(c.noun == "crown" for c in each.concepts)
    ]
    assert len(crowned) >= 5
    values = ClipImage(originals=(crown,), boxes=WorldBoxes())(
        [renders[item] for item in crowned], [captions[item] for item in crowned]
    )["concept"]
    green = [value for item, value in zip(crowned, values, strict=True) if "green crown" in captions[item].text]
    other = [value for item, value in zip(crowned, values, strict=True) if "green crown" not in captions[item].text]
    assert min(filter(None, green), default=1.0) > max(value for value in other if value is not None)


def test_without_boxes_the_whole_image_is_compared_with_the_concept(
    crown: Original, renders: list[Image.Image], prompt: Prompt
) -> None:
    whole = ClipImage(originals=(crown,))([renders[1]], [prompt])
    boxed = ClipImage(originals=(crown,), boxes=WorldBoxes())([renders[1]], [prompt])
    assert whole["image"] == boxed["image"] == [None]
    assert boxed["concept"] == [pytest.approx(1, abs=1e-5)]
    assert whole["concept"][0] is not None
    assert whole["concept"][0] < 0.999


def test_a_concept_that_is_not_asked_for_or_not_found_does_not_count(
    crown: Original, renders: list[Image.Image], prompt: Prompt
) -> None:
    score = ClipImage(originals=(crown,), boxes=WorldBoxes())
    bow = Prompt.parse("a brown bow", build_tokenizer())
    assert score([renders[0], renders[0]], [bow, prompt])["concept"] == [None, None]


def test_several_originals_count_equally(photo: Path, renders: list[Image.Image], prompt: Prompt) -> None:
    renders[0].save(photo.with_name("other.png"))
    first, second = Original(image=photo), Original(image=photo.with_name("other.png"))
    alone = [ClipImage(originals=(each,))([renders[1]], [prompt])["image"][0] for each in (first, second)]
    both = ClipImage(originals=(first, second))([renders[1]], [prompt])["image"][0]
    assert both == pytest.approx(np.mean(np.array(alone)), abs=1e-6)


def test_no_originals_are_refused() -> None:
    for make in (ClipImage, DinoImage):
        with pytest.raises(SettingsError, match=r"Pass originals=\(Original\(image="):
            make(originals=())


def test_an_original_that_is_no_picture_is_named(tmp_path: Path, renders: list[Image.Image], prompt: Prompt) -> None:
    (tmp_path / "note.png").write_text("no picture")
    for path in (tmp_path / "note.png", tmp_path / "absent.png"):
        with pytest.raises(SettingsError, match=f"image at {path}"):
            ClipImage(originals=(Original(image=path),))([renders[0]], [prompt])
