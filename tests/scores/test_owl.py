from dataclasses import replace

import pytest
from PIL import Image

from heedful.prompts import Prompt
from heedful.scores import OwlBoxes, OwlScore, WorldBoxes
from heedful.scores.boxes import Part, crop, intersection_over_union
from heedful.scores.embedding import load_embedder
from heedful.scores.owl import colour_word, name_colour
from heedful.world.judge import expectations
from heedful.world.tokenizer import build_tokenizer
from tests.score_models import owl_folder


def parsed(text: str) -> Prompt:
    return Prompt.parse(text, build_tokenizer())


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> OwlBoxes:
    return OwlBoxes(model=str(owl_folder(tmp_path_factory.mktemp("models") / "owl")), threshold=0.0)


class Told(OwlBoxes):
    """Finds what the world's detector finds, so that what follows a detection can be tested on real pictures."""

    def find(self, image: Image.Image, prompt: Prompt) -> dict[str, list[tuple[float, Part]]]:
        (found,) = WorldBoxes()([image], [prompt])
        return {noun: [(0.9 - 0.1 * place, part) for place, part in enumerate(parts)] for noun, parts in found.items()}


def test_boxes_are_surest_first_and_overlap_no_surer_one(boxes: OwlBoxes, renders: list[Image.Image]) -> None:
    prompt = parsed("a cat and a blue clock")
    found = replace(boxes, max_overlap=1.0).find(renders[0], prompt)
    assert sorted(found) == ["cat", "clock"]
    assert sum(map(len, found.values())) == 4  # one for each of the 2x2 cells that the tiny model looks at
    for limit in (0.0, 0.2, 1.0):
        for parts in replace(boxes, max_overlap=limit).find(renders[0], prompt).values():
            assert [sure for sure, _ in parts] == sorted((sure for sure, _ in parts), reverse=True)
            pairs = [(one, other) for place, (_, one) in enumerate(parts) for _, other in parts[:place]]
            assert all(intersection_over_union(one, other) <= limit for one, other in pairs)


def test_a_higher_threshold_keeps_the_surer_boxes(boxes: OwlBoxes, renders: list[Image.Image]) -> None:
    prompt = parsed("a cat and a blue clock")
    everything = sorted(sure for parts in boxes.find(renders[0], prompt).values() for sure, _ in parts)
    middle = everything[len(everything) // 2]
    kept = replace(boxes, threshold=middle).find(renders[0], prompt)
    assert sorted(sure for parts in kept.values() for sure, _ in parts) == [
        sure for sure in everything if sure > middle
    ]


def test_boxes_are_shares_of_the_picture_and_not_of_its_padded_square(boxes: OwlBoxes) -> None:
    """A wide picture and the same with its padding painted on have the same boxes, in other shares of their height."""
    wide, square = Image.new("RGB", (64, 32), "gray"), Image.new("RGB", (64, 64), "black")
    square.paste(wide)
    everything = replace(boxes, max_overlap=1.0)
    (one,), (other,) = (everything([image], [parsed("a cat")]) for image in (wide, square))
    assert len(one["cat"]) == 4
    for (left, top, right, bottom), found in zip(one["cat"], other["cat"], strict=True):
        assert found == pytest.approx((left, top / 2, right, bottom / 2), abs=1e-4)


def test_the_worlds_clip_names_the_colours_of_renders(renders: list[Image.Image], captions: list[Prompt]) -> None:
    """By GenEval's sentences, of whose words the world knows half; chance is 1 in 11."""
    embedder = load_embedder(None, "cpu")
    named = [
        name_colour(embedder, crop(image, found[each.name][0]), each.name) == each.colour
        for image, prompt, found in zip(renders, captions, WorldBoxes()(renders, captions), strict=True)
        for each in expectations(prompt.text)
        if each.colour and found[each.name]
    ]
    assert len(named) >= 100
    assert sum(named) / len(named) >= 0.8


@pytest.mark.parametrize(
    ("text", "objects", "colour"),
    [
        ("a green crown and a yellow backpack", 1.0, 1.0),
        ("a crown and a backpack", 1.0, None),
        ("a yellow crown and a green backpack", 1.0, 0.0),
        ("a green crown and a yellow bench", 0.0, 0.0),
        ("a green crown and a bear", 0.0, 1.0),
        ("a green crown and a green crown", 0.0, 0.0),
    ],
)
def test_success_is_every_object_in_its_colour(
    renders: list[Image.Image], text: str, objects: float, colour: float | None
) -> None:
    """The second render shows a green crown and a yellow backpack; colours are named by the world's CLIP."""
    values = OwlScore(boxes=Told(), colour_model=None)([renders[1]], [parsed(text)])
    assert values["objects"] == [objects]
    assert values["colour"] == [colour]
    assert values["success"] == [float(objects == 1.0 and colour != 0.0)]
    assert values["confidence"] == [0.9 if objects else 0.0]


def test_a_prompt_without_concepts_is_not_judged(renders: list[Image.Image]) -> None:
    values = OwlScore(colour_model=None)([renders[0]], [parsed("a red")])
    assert set(map(tuple, values.values())) == {(None,)}


def test_both_spellings_of_gray_are_one_colour() -> None:
    assert colour_word("Grey") == colour_word("gray") == "gray"
