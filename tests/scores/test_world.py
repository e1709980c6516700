from collections import Counter

import pytest
from PIL import Image

from heedful.prompts import Prompt
from heedful.scores import WorldScore
from heedful.world.judge import expectations
from heedful.world.tokenizer import build_tokenizer


def test_the_score_agrees_with_the_scene_that_was_rendered(renders: list[Image.Image], captions: list[Prompt]) -> None:
    """Each render against its own caption, and against that of another scene."""
    right = WorldScore()(renders, captions)
    assert sum(filter(None, right["success"])) >= 97
    others = captions[1:] + captions[:1]
    same = [content(one) == content(other) for one, other in zip(captions, others, strict=True)]
    wrong = WorldScore()(renders, others)
    assert [value for value, is_same in zip(wrong["success"], same, strict=True) if not is_same and value] == []


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("a green crown and a yellow backpack", set()),
        ("a yellow crown and a green backpack", {"leakage"}),
        ("a green crown and a bear", {"neglect", "extra"}),
        ("a green crown", {"extra"}),
        ("a green crown and a yellow backpack and a bear", {"neglect"}),
    ],
)
def test_what_is_wrong_is_called_by_its_name(renders: list[Image.Image], text: str, faults: set[str]) -> None:
    """The second render shows a green crown and a yellow backpack."""
    values = WorldScore()([renders[1]], [Prompt.parse(text, build_tokenizer())])
    found = {name for name, (value,) in values.items() if value == 1.0 and name not in ("success", "confidence")}
    assert found == faults
    assert values["success"] == [float(not faults)]


def test_a_prompt_without_classes_of_the_world_is_not_judged(renders: list[Image.Image]) -> None:
    values = WorldScore()([renders[0]], [Prompt.parse("a photo", build_tokenizer())])
    assert set(map(tuple, values.values())) == {(None,)}


def content(prompt: Prompt) -> Counter[tuple[str, str | None]]:
    return Counter((each.name, each.colour) for each in expectations(prompt.text))


def test_a_judge_says_that_it_does_not_know_what_was_taught(renders: list[Image.Image]) -> None:
    tokenizer = build_tokenizer()
    tokenizer.add_tokens("<cat1>")
    with pytest.warns(UserWarning, match="does not know what was taught"):
        WorldScore()([renders[0]], [Prompt.parse("a <cat1> cat", tokenizer)])
