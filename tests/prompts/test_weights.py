"""Weights as compel writes them are taken off the prompt; what is no weight is refused."""

import sys
from importlib.util import find_spec

import pytest

from heedful.errors import MissingExtra, PromptError
from heedful.prompts import find_weight, take_weights

needs_compel = pytest.mark.skipif(find_spec("compel") is None, reason="needs the extra `weights`")


@needs_compel
@pytest.mark.parametrize(
    ("written", "text", "weighted"),
    [
        ("a (red)1.4 cat and a blue++ clock", "a red cat and a blue clock", None),
        ("(a cat)1.3 and (a (red)1.2 frog)+, clock--", "a cat and a red frog, clock", None),
        (r"a \(nice\) (cat)0.5", "a (nice) cat", None),
        ("a (plain) cat", "a plain cat", None),
        ("a [(blue)1.3 clock] and a [cat]", "a [blue clock] and a [cat]", "a (blue)1.3 clock and a cat"),
        ("([teddy+bear])1.3, [(blue clock)++]", "[teddy+bear], [blue clock]", "(teddy bear)1.3, (blue clock)++"),
        ("a cat, a dog, 2 + 2", "a cat, a dog, 2 + 2", ""),
        ("a [cat]. [dog]", "a [cat]. [dog]", ""),
    ],
)
def test_weights_are_taken_off_and_marks_stay(written: str, text: str, weighted: str | None) -> None:
    found = take_weights(written)
    assert (found.text, found.written) == (text, written if weighted is None else weighted)


@needs_compel
@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("a [blue clock]++", r"inside the marks, got '\]\+\+'"),
        ("a (cat:1.2)", r"behind brackets, as in \(cat\)1.2, got '\(cat:1.2\)'"),
        ("a cat.swap(dog)", "whose only syntax is weights"),
        ('("a cat", "a dog").blend(0.7, 0.3)', "whose only syntax is weights"),
        ('("a cat", "a dog").and()', "whose only syntax is weights"),
        ("a cat withLora(style, 0.5)", "whose only syntax is weights"),
        ("a [cat", "marks"),
    ],
)
def test_what_is_no_weight_is_refused(written: str, says: str) -> None:
    with pytest.raises(PromptError, match=says):
        take_weights(written)


@pytest.mark.parametrize("text", ["a (red)1.4 cat", "a (red cat)++", "a blue++ clock", "clock--", "a (cat:1.2), dog"])
def test_what_looks_like_a_weight_is_found(text: str) -> None:
    assert find_weight(text) is not None and find_weight(text) in text


@pytest.mark.parametrize("text", ["a cat (asleep)", "a book on C++", "a well-known cat - 2+2", "(1) a cat, (2) a dog"])
def test_other_brackets_and_signs_are_no_weights(text: str) -> None:
    assert find_weight(text) is None


def test_without_compel_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "compel", None)
    with pytest.raises(MissingExtra, match=r"heedful\[weights\]"):
        take_weights("a (red)1.4 cat")
