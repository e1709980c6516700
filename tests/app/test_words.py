import pytest

from heedful.app.words import carry, read, toggle
from heedful.errors import EmptyPrompt, PromptError, PromptTooLong, UnsuitablePrompt
from heedful.prompts import take_marks


def test_the_words_of_a_prompt_know_their_concepts() -> None:
    found = read("a cat and a blue clock")
    assert [(word.text, word.concept) for word in found.words] == [
        ("a", None), ("cat", 0), ("and", None), ("a", None), ("blue", 1), ("clock", 1),
    ]  # fmt: skip
    assert found.concepts == ("cat", "blue clock") and not found.is_marked
    assert [found.text[word.start : word.end] for word in found.words] == [word.text for word in found.words]


def test_marks_are_not_shown_but_meant() -> None:
    found = read("a [cat] and a [blue teddy+bear]")
    assert found.text == "a cat and a blue teddy bear" and found.concepts == ("cat", "blue teddy bear")
    assert found.is_marked


@pytest.mark.parametrize(
    ("prompt", "word", "after"),
    [
        ("a cat and a blue clock", "cat", "a cat and a [blue clock]"),
        ("a cat and a blue clock", "blue", "a [cat] and a blue [clock]"),
        ("a cat and a blue clock", "clock", "a [cat] and a blue clock"),
        ("a cat on a table", "on", "a [cat] [on] a [table]"),
        ("a [big blue teddy+bear] and a [dog]", "blue", "a big blue [teddy+bear] and a [dog]"),
        (r"a \[cat\] and a dog", "dog", r"a \[[cat]\] and a dog"),
    ],
)
def test_a_click_adds_a_word_or_takes_it_away(prompt: str, word: str, after: str) -> None:
    assert toggle(prompt, read(prompt).text.index(word)) == after
    assert take_marks(after)[0] == read(prompt).text


def test_a_click_means_the_very_word_that_was_clicked() -> None:
    assert toggle("a [dog], a cat and a cat", "a dog, a cat and a cat".rindex("cat")) == "a [dog], a cat and a [cat]"


def test_the_last_concept_stays() -> None:
    with pytest.raises(UnsuitablePrompt, match="at least one thing"):
        toggle("a [cat]", 2)


def test_a_click_beside_the_words_is_refused() -> None:
    with pytest.raises(PromptError, match="Click on a word"):
        toggle("a cat", 1)


@pytest.mark.parametrize(
    ("prompt", "text", "after"),
    [
        ("a [cat] and a blue [clock]", "a cat and a red blue clock", "a [cat] and a red blue [clock]"),
        ("a [cat] and a blue [clock]", "a cats and a blue clock", "a cats and a blue [clock]"),
        ("a [cat] and a [clock]", "two dogs", "two dogs"),
        ("a cat and a clock", "a cat and a dog", "a cat and a dog"),
        ("a [cat]", "a [dog]", "a [dog]"),
        ("a [cat", "a cat", "a cat"),
    ],
)
def test_typing_keeps_the_choices_whose_words_still_stand(prompt: str, text: str, after: str) -> None:
    assert carry(prompt, text) == after


def test_hostile_prompts_are_read_or_refused() -> None:
    assert read("<script>alert(1)</script> a cat").concepts
    with pytest.raises(PromptTooLong, match="10001"):
        read("a" * 10_001)
    with pytest.raises(EmptyPrompt):
        read("  ")
