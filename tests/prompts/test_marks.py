import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.errors import PromptError
from heedful.prompts.marks import joined_words, take_marks


def test_marks_are_taken_out_and_point_into_the_text_without_them() -> None:
    text, marks = take_marks("a [cat] and a [blue clock]")
    assert text == "a cat and a blue clock"
    assert [(span.of(text), written) for span, written in marks] == [("cat", "cat"), ("blue clock", "blue clock")]


def test_a_plus_joins_words_inside_marks_only() -> None:
    text, marks = take_marks("1+1 [brown teddy+bear] [c++] a+b")
    assert text == "1+1 brown teddy bear c++ a+b"
    assert [span.of(text) for span, _ in marks] == ["brown teddy bear", "c++"]


@pytest.mark.parametrize(("phrase", "words"), [("teddy+bear", 2), ("blue clock", 1), ("ice+cream+cone", 3), ("", 1)])
def test_the_noun_has_as_many_words_as_are_joined(phrase: str, words: int) -> None:
    assert joined_words(phrase) == words


def test_escaped_brackets_and_lone_backslashes_belong_to_the_text() -> None:
    assert take_marks(r"a \[cat\] \o/ [dog\]]") == (r"a [cat] \o/ dog]", (((12, 16), "dog]"),))


@pytest.mark.parametrize("text", ["a [cat", "a cat]", "a [[cat]]", "a []", "a [ ]", "]cat["])
def test_marks_that_do_not_close_are_refused(text: str) -> None:
    with pytest.raises(PromptError, match=r"Expected marks like \[cat\] around words, got "):
        take_marks(text)


@given(pieces=st.lists(st.tuples(st.text("abc +\\é ", max_size=5), st.text("abc é", min_size=1, max_size=5))))
def test_taking_out_marks_leaves_every_other_character(pieces: list[tuple[str, str]]) -> None:
    pieces = [(before.rstrip("\\"), marked) for before, marked in pieces if marked.strip()]
    text, marks = take_marks("".join(f"{before}[{marked}]" for before, marked in pieces))
    assert text == "".join(before + marked for before, marked in pieces)
    assert [span.of(text) for span, _ in marks] == [marked for _, marked in pieces]
