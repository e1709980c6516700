"""What class images show, by the method and its settings."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from heedful import world
from heedful.errors import PromptTooLong, SettingsError
from heedful.teaching import METHODS
from heedful.teaching.concepts import new_concepts
from heedful.teaching.material import check_said, class_prompts_of
from heedful.world.tokenizer import build_tokenizer
from tests.teaching.lesson import PROMPT, picture

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


def test_class_images_without_captions_make_no_composites(tmp_path: Path) -> None:
    check_said(tmp_path / "nothing yet")
    picture().save(tmp_path / "a.png")
    with pytest.raises(SettingsError, match=r"got none for a\.png in its metadata\.jsonl"):
        check_said(tmp_path)
    said = {"file_name": "a.png", "text": "a cat on a beach"}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(said) + "\n", encoding="utf-8")
    check_said(tmp_path)
