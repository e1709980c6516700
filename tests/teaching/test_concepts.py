import pytest

from heedful.errors import PromptError
from heedful.teaching.concepts import NewConcept, class_prompt, new_concepts
from heedful.world.tokenizer import build_tokenizer


def test_each_placeholder_belongs_to_the_noun_behind_it() -> None:
    found = new_concepts("photo of a <new1> cat and a blue <dog-2> dog", build_tokenizer())
    assert found == (NewConcept(placeholder="<new1>", noun="cat"), NewConcept(placeholder="<dog-2>", noun="dog"))
    assert [concept.name for concept in found] == ["new1", "dog-2"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a cat and a dog", "Expected placeholders in angle brackets"),
        ("a <x> cat and a <x> dog", "each placeholder once, got <x>"),
        ("a cat on <x>", "Expected a noun after <x>"),
        ("a <../x> cat", "letters, digits, - or _ inside the brackets"),
    ],
)
def test_prompts_that_name_nothing_to_learn_are_refused(text: str, says: str) -> None:
    with pytest.raises(PromptError, match=says):
        new_concepts(text, build_tokenizer())


def test_the_class_prompt_is_the_prompt_without_placeholders() -> None:
    assert class_prompt("a <cat1> cat and a <dog1> dog") == "a cat and a dog"
