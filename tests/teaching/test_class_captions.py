"""Which captions class images have where composites are made of them."""

import pytest

from heedful import world
from heedful.errors import SettingsError
from heedful.teaching.class_captions import article, thing_on_ground, varied_captions
from tests.pipelines import tiny_pipeline


@pytest.mark.parametrize("make", [world.load, tiny_pipeline], ids=["world", "another"])
def test_every_second_caption_is_of_a_taught_class_and_the_others_of_none(make: object) -> None:
    assert callable(make)
    said = [thing_on_ground(each) for each in varied_captions(make().unet, ["cat", "chair"], 32)]
    assert [each.noun for each in said[::2]] == ["cat", "chair"] * 8
    others = {each.noun for each in said[1::2]}
    assert len(others) > 8 and not others & {"cat", "chair"}
    grounds = [{each.ground for each in said[::2] if each.noun == noun} for noun in ("cat", "chair")]
    assert all(len(found) >= 3 for found in grounds) and len({each.ground for each in said}) >= 7


def test_the_embedded_model_knows_every_word() -> None:
    pipe = world.load()
    words = {word for caption in varied_captions(pipe.unet, ["lion", "bowl"], 64) for word in caption.split()}
    assert all(len(pipe.tokenizer(word, add_special_tokens=False).input_ids) == 1 for word in words)


def test_captions_of_another_form_are_refused() -> None:
    assert thing_on_ground("a red ball in front of a house").ground == "in front of a house"
    for caption in ("a cat", "a cat and a dog on a beach"):
        with pytest.raises(SettingsError, match=r"one thing on one ground.*got 'a cat"):
            thing_on_ground(caption)


def test_articles() -> None:
    assert [article(noun) for noun in ("cat", "elephant", "")] == ["a", "an", "a"]
