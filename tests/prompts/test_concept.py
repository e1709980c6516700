import dataclasses
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

import heedful
from heedful.errors import ConceptNotFound, PromptError, PromptTooLong
from heedful.prompts import Concept, Modifier, Phrase, Prompt, Span, Tokenizer
from heedful.prompts.concept import check_concepts


def _named(prompt: Prompt) -> list[tuple[str, tuple[int, ...]]]:
    return [(concept.name, concept.token_indices) for concept in prompt.concepts]


def test_a_prompt_becomes_concepts_with_token_indices_and_modifiers(clip: CLIPTokenizer) -> None:
    prompt = Prompt.parse("a red car and a blue clock", clip)
    assert prompt.text == "a red car and a blue clock"
    assert prompt.tokens == ("<|startoftext|>", "a", "red", "car", "and", "a", "blue", "clock", "<|endoftext|>")
    assert prompt.concepts == (
        Concept("red car", "car", (3,), (Modifier("red", (2,)),)),
        Concept("blue clock", "clock", (7,), (Modifier("blue", (6,)),)),
    )
    assert prompt.end == 8
    assert prompt.unknown == ()


def test_a_word_of_several_pieces_has_several_indices(clip: CLIPTokenizer) -> None:
    assert _named(Prompt.parse("a teddy and a cat", clip)) == [("teddy", (2, 3)), ("cat", (6,))]


def test_a_repeated_word_is_two_concepts(clip: CLIPTokenizer) -> None:
    assert _named(Prompt.parse("a cat and a cat", clip)) == [("cat", (2,)), ("cat", (5,))]
    assert _named(Prompt.parse("a cat and a cat", clip, ["cat", "cat"])) == [("cat", (2,)), ("cat", (5,))]


def test_a_placeholder_survives_as_one_token(clip: CLIPTokenizer) -> None:
    prompt = Prompt.parse("a <cat1> cat and a <dog1>", clip)
    assert prompt.concepts == (
        Concept("<cat1> cat", "cat", (3,), (Modifier("<cat1>", (2,)),)),
        Concept("<dog1>", "<dog1>", (6,)),
    )


def test_only_marked_words_become_concepts(clip: CLIPTokenizer) -> None:
    prompt = Prompt.parse("a [Cat] with a dog on the [blue clock]", clip)
    assert prompt.text == "a Cat with a dog on the blue clock"
    assert prompt.concepts == (
        Concept("Cat", "Cat", (2,)),
        Concept("blue clock", "clock", (9,), (Modifier("blue", (8,)),)),
    )


def test_a_marked_noun_has_no_modifiers_but_those_that_are_marked_with_it(clip: CLIPTokenizer) -> None:
    assert Prompt.parse("a blue [clock]", clip).concepts == (Concept("clock", "clock", (3,)),)


@pytest.mark.parametrize(
    ("text", "concepts"),
    [("a [blue teddy+cat]", None), ("a blue teddy cat", ["blue teddy+cat"])],
    ids=["marks", "list"],
)
def test_joined_words_are_one_noun(clip: CLIPTokenizer, text: str, concepts: list[str] | None) -> None:
    (concept,) = Prompt.parse(text, clip, concepts).concepts
    assert concept == Concept("blue teddy cat", "teddy cat", (3, 4, 5), (Modifier("blue", (2,)),))


def test_the_list_wins_over_marks_and_phrases_and_keeps_its_order(clip: CLIPTokenizer) -> None:
    prompt = Prompt.parse("a [cat] and a blue clock", clip, ["blue clock", "and"])
    assert prompt.text == "a cat and a blue clock"
    assert _named(prompt) == [("blue clock", (6,)), ("and", (3,))]
    assert Prompt.parse("a [cat]", clip, []).concepts == ()


def test_listed_words_match_whole_and_in_any_case(clip: CLIPTokenizer) -> None:
    assert _named(Prompt.parse("a Clock and a CAT", clip, ["cat", "clock"])) == [("cat", (5,)), ("clock", (2,))]
    with pytest.raises(ConceptNotFound):
        Prompt.parse("a clock", clip, ["lock"])


def test_a_longer_name_chooses_first(clip: CLIPTokenizer) -> None:
    prompt = Prompt.parse("a blue cat and a cat", clip, ["cat", "blue cat"])
    assert _named(prompt) == [("cat", (6,)), ("blue cat", (3,))]


def test_an_article_in_a_listed_name_is_no_modifier(clip: CLIPTokenizer) -> None:
    assert Prompt.parse("the cat", clip, ["the cat"]).concepts == (Concept("the cat", "cat", (2,)),)


@pytest.mark.parametrize(
    ("text", "concepts", "scenery"),
    [
        ("a cat and a red bench on a blue background", None, ["blue", "background"]),
        ("a [cat] and a red bench", None, ["red", "bench"]),
        ("a cat and a red bench", ["bench"], ["cat", "red"]),
        ("a cat on a [blue background]", None, ["cat"]),
        ("a photo of a cat", None, []),
    ],
)
def test_phrases_that_are_no_concept_are_the_scenery(
    clip: CLIPTokenizer, text: str, concepts: list[str] | None, scenery: list[str]
) -> None:
    prompt = Prompt.parse(text, clip, concepts)
    assert "".join(prompt.tokens[index].removesuffix("</w>") for index in prompt.scenery) == "".join(scenery)
    moved = prompt.shifted(3)
    assert [moved.tokens[index] for index in moved.scenery] == [prompt.tokens[index] for index in prompt.scenery]
    assert prompt.within(2).scenery == ()
    assert prompt.beside(prompt, 100).scenery == (*prompt.scenery, *(index + 100 for index in prompt.scenery))


def test_another_syntax_may_be_passed(clip: CLIPTokenizer) -> None:
    prompt = Prompt.parse("cat dog", clip, syntax=lambda text: [Phrase(text, Span(4, 7), (Span(0, 3),))])
    assert prompt.concepts == (Concept("cat dog", "dog", (2,), (Modifier("cat", (1,)),)),)


def test_words_are_listed_once_without_the_possessive(clip: CLIPTokenizer) -> None:
    assert Prompt.parse("A cat's <cat1> and a Cat", clip).words() == ("A", "cat", "<cat1>", "and")


def test_words_that_the_tokenizer_does_not_know_are_listed(t5: Tokenizer) -> None:
    assert Prompt.parse("a 猫 and a cat", t5).unknown == ("猫",)


def test_a_concept_that_is_not_there_names_the_words_that_are(clip: CLIPTokenizer) -> None:
    with pytest.raises(ConceptNotFound) as caught:
        Prompt.parse("a red cube", clip, ["sphere"])
    assert str(caught.value) == (
        "No words match the concept 'sphere' in the prompt 'a red cube'. Its words are: a, red, cube. "
        "Pass concepts=[...] with words of the prompt, or mark them: a red [cube]."
    )


@pytest.mark.parametrize(("name", "times"), [("cube", "once"), ("red", "2 times")])
def test_a_word_asked_for_too_often_says_how_often_it_stands_there(clip: CLIPTokenizer, name: str, times: str) -> None:
    with pytest.raises(ConceptNotFound, match=rf"'{name}' stands in the prompt 'a red red cube' {times}\."):
        Prompt.parse("a red red cube", clip, [name] * 3)


@pytest.mark.parametrize("name", ["", " ", "?"])
def test_a_concept_without_words_is_not_found(clip: CLIPTokenizer, name: str) -> None:
    with pytest.raises(ConceptNotFound, match="No words match the concept"):
        Prompt.parse("a red cube", clip, [name])


def test_a_text_for_a_list_is_refused(clip: CLIPTokenizer) -> None:
    with pytest.raises(PromptError, match=r"Pass concepts=\['cat'\]"):
        Prompt.parse("a cat", clip, "cat")


@pytest.mark.parametrize("text", ["a [c]at", "a [!] cat"])
def test_marks_hold_whole_words(clip: CLIPTokenizer, text: str) -> None:
    with pytest.raises(PromptError, match="Expected words inside the marks"):
        Prompt.parse(text, clip)


def test_marks_do_not_count_towards_the_limit(clip: CLIPTokenizer) -> None:
    assert len(Prompt.parse("[cat] " * 75, clip).concepts) == 75
    with pytest.raises(PromptTooLong):
        Prompt.parse("[cat] " * 76, clip)


def test_prompts_are_frozen_and_equal_when_parsed_again(clip: CLIPTokenizer) -> None:
    prompt = Prompt.parse("a cat", clip)
    assert prompt == Prompt.parse("a cat", clip)
    assert hash(prompt) == hash(Prompt.parse("a cat", clip))
    with pytest.raises(dataclasses.FrozenInstanceError):
        prompt.text = "a dog"  # type: ignore[misc]


NOUNS = ["cat", "dog", "clock", "teddy", "zebra", "tic-tac-toe", "<cat1>", "CAR"]
ARTICLES = st.sampled_from(["a", "the", "my"])
PHRASES = st.tuples(ARTICLES, st.lists(st.sampled_from(["red", "blue", "tiny"]), max_size=2), st.sampled_from(NOUNS))


@given(phrases=st.lists(PHRASES, min_size=1, max_size=4), joint=st.sampled_from([" and ", ", ", "  with\n"]))
def test_the_indices_of_every_concept_decode_to_its_noun(
    tokenizer: CLIPTokenizer, phrases: list[tuple[str, list[str], str]], joint: str
) -> None:
    text = joint.join(" ".join([article, *colours, noun]) for article, colours, noun in phrases)
    prompt = Prompt.parse(text, tokenizer)
    ids = tokenizer(text)["input_ids"]
    assert [concept.noun for concept in prompt.concepts] == [noun for _, _, noun in phrases]
    seen: list[int] = []
    for concept, (_, colours, _) in zip(prompt.concepts, phrases, strict=True):
        assert [modifier.text for modifier in concept.modifiers] == colours
        for thing, words in [*((m, m.text) for m in concept.modifiers), (concept, concept.noun)]:
            decoded = tokenizer.decode([ids[i] for i in thing.token_indices])
            assert "".join(decoded.split()).casefold() == words.casefold()
            seen += thing.token_indices
    assert seen == sorted(set(seen)) and max(seen) < prompt.end


@given(phrases=st.lists(PHRASES, min_size=1, max_size=4))
def test_marking_or_listing_what_the_rules_find_changes_nothing(
    tokenizer: Tokenizer, phrases: list[tuple[str, list[str], str]]
) -> None:
    names = [" ".join([*colours, noun]) for _, colours, noun in phrases]
    plain = " and ".join(f"{article} {name}" for (article, _, _), name in zip(phrases, names, strict=True))
    marked = " and ".join(f"{article} [{name}]" for (article, _, _), name in zip(phrases, names, strict=True))
    found = Prompt.parse(plain, tokenizer)
    assert Prompt.parse(marked, tokenizer) == found
    asked = Prompt.parse(plain, tokenizer, names)
    assert sorted(map(repr, asked.concepts)) == sorted(map(repr, found.concepts))


def test_prompts_need_neither_torch_nor_diffusers() -> None:
    # A stand-in for the package itself, whose public list imports everything.
    code = f"""
import sys, types
sys.modules["heedful"] = package = types.ModuleType("heedful")
package.__path__ = {list(heedful.__path__)!r}
import heedful.prompts
print({{"torch", "diffusers", "transformers"}} & set(sys.modules))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"


def test_chinese_words_are_found_where_they_are_listed_or_marked(clip: CLIPTokenizer) -> None:
    listed = Prompt.parse("一只猫和一只狗", clip, ["猫", "狗"])
    marked = Prompt.parse("一只[猫]和一只[狗]", clip)
    assert [concept.name for concept in listed.concepts] == ["猫", "狗"]
    assert marked.concepts == listed.concepts
    assert listed.concepts[0].token_indices != listed.concepts[1].token_indices


@pytest.mark.parametrize("concepts", [{"cat"}, [3], {"cat": 1}, 3])
def test_concepts_are_a_list_of_texts(concepts: Any) -> None:
    with pytest.raises(PromptError, match="Expected a list of concepts"):
        check_concepts(concepts)


def test_a_set_of_concepts_is_refused_where_types_are_not_checked() -> None:
    """The types are checked in tests alone, so this runs outside of them."""
    code = "from heedful.prompts import Prompt; Prompt.parse('a cat', None, {'cat'})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "PromptError: Expected a list of concepts, each a text, got {'cat'}" in result.stderr
