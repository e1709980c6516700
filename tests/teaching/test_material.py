"""What class images show, by the method and its settings."""

from dataclasses import replace

import pytest

from heedful import world
from heedful.errors import PromptTooLong, SettingsError
from heedful.teaching import METHODS
from heedful.teaching.concepts import new_concepts
from heedful.teaching.material import class_prompts_of
from heedful.world.tokenizer import build_tokenizer
from tests.teaching.lesson import PROMPT

CONCEPTS = new_concepts(PROMPT, build_tokenizer())


def test_composites_want_single_things_and_other_methods_the_prompt() -> None:
    pipe = world.load()
    heedful, disendiff = METHODS["heedful"], METHODS["disendiff"]
    settings = heedful.settings_for(pipe.unet)
    said = class_prompts_of(pipe, (), heedful, settings, PROMPT, CONCEPTS)
    assert len(said) == settings.num_class_images and said[0].startswith("a cat on a ")
    plain = replace(settings, composites=0)
    assert class_prompts_of(pipe, (), heedful, plain, PROMPT, CONCEPTS) == ("a cat and a dog",)
    both = replace(disendiff, shows_each_alone=True)
    assert class_prompts_of(pipe, (), both, plain, PROMPT, CONCEPTS) == ("a cat and a dog", "a cat", "a dog")
    assert class_prompts_of(pipe, ["a cat"], disendiff, plain, PROMPT, CONCEPTS) == ("a cat",)
    with pytest.raises(SettingsError, match="got 'a cat and a dog'"):
        class_prompts_of(pipe, ["a cat and a dog"], heedful, settings, PROMPT, CONCEPTS)
    long = " ".join(["a", *["red"] * 20, "cat on a blue background"])
    with pytest.raises(PromptTooLong, match="at most 16 tokens"):
        class_prompts_of(pipe, [long], heedful, settings, PROMPT, CONCEPTS)
