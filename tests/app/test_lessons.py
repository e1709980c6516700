import pytest

from heedful.app.lessons import read_lesson, toggle_lesson
from heedful.errors import PromptError, PromptTooLong


def test_a_click_on_a_thing_gives_it_a_new_word_and_another_takes_it_away() -> None:
    one = toggle_lesson("a cat and a dog", 2)
    assert one == "a <cat1> cat and a dog"
    both = toggle_lesson(one, one.index("dog"))
    assert both == "a <cat1> cat and a <dog1> dog"
    assert toggle_lesson(both, both.index("<cat1>")) == "a cat and a <dog1> dog"
    assert toggle_lesson(both, both.index("cat and")) == "a cat and a <dog1> dog"


def test_things_of_one_name_get_words_of_their_own() -> None:
    one = toggle_lesson("a cat and a cat", 2)
    assert toggle_lesson(one, one.rindex("cat")) == "a <cat1> cat and a <cat2> cat"


def test_the_words_say_which_are_new_and_which_are_taught() -> None:
    found = [(word.text, word.is_new, word.is_taught) for word in read_lesson("a <cat1> cat")]
    assert found == [("a", False, False), ("<cat1>", True, False), ("cat", False, True)]


def test_what_is_no_word_or_too_long_is_refused() -> None:
    with pytest.raises(PromptError, match="Click on a word"):
        toggle_lesson("a cat", 1)
    with pytest.raises(PromptTooLong):
        read_lesson("a" * 10_001)
