"""What nobody would see in the images is said in Python too, once."""

import warnings

import pytest

from heedful import world
from heedful.guidance import NONE, guide
from heedful.prompts import Prompt
from tests.pipelines import tiny_pipeline


def said(pipe: object, prompt: str | Prompt | list[str]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with guide(pipe, prompt, NONE):  # type: ignore[arg-type]
            pass
    assert all(one.category is UserWarning for one in caught)
    return [str(one.message) for one in caught]


@pytest.mark.parametrize("name", ["sprites", "joint"])
def test_words_that_an_embedded_model_never_saw_are_said_once(name: str) -> None:
    pipe = world.load(name)
    (text,) = said(pipe, ["a castle and a cat", "a castle and a mauve dog"])
    assert text.startswith("The embedded model has never seen castle, mauve, so no image shows it")
    assert said(pipe, "a cat and a blue clock") == []
    assert said(pipe, "a <cat1> cat on a blue background") == []


def test_other_models_may_know_any_word() -> None:
    assert said(tiny_pipeline(), "a castle and a unicorn") == []


@pytest.mark.parametrize("text", ["a (red)1.4 cat and a dog", "a cat and a blue++ clock", "a (cat:1.2) and a dog"])
def test_a_weight_that_is_read_as_text_is_said(text: str) -> None:
    (remark,) = said(tiny_pipeline(), text)
    assert "what looks like a weight" in remark and "docs/prompts.md" in remark
