import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.prompts.syntax import phrases_by_rules


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a cat and a blue clock", ["cat", "blue clock"]),
        ("a red car and a blue clock", ["red car", "blue clock"]),
        ("a cat and a cat", ["cat", "cat"]),
        ("two cats, the dog; my <cat1> hat", ["cats", "dog", "<cat1> hat"]),
        ("a teddy bear", ["teddy bear"]),
        ("a cat's bone under the tic-tac-toe board", ["cat", "bone", "tic-tac-toe board"]),
        # -ing words
        ("a cat sitting on a mat", ["cat", "mat"]),
        ("a monkey playing guitar", ["monkey", "guitar"]),
        ("a red flying dragon and a running dog", ["red flying dragon", "running dog"]),
        ("a golden ring in a building", ["golden ring", "building"]),
        # verbs
        ("A cat is chasing a dog", ["cat", "dog"]),
        ("a cat jumped over a fence", ["cat", "fence"]),
        ("a cat chases a dog", ["cat", "dog"]),
        ("a snow covered mountain", ["snow covered mountain"]),
        ("a wine glass and two cats", ["wine glass", "cats"]),
        ("a cat named Tom and a dog", ["cat", "dog"]),
        # tags, weights, other writing
        ("masterpiece, best quality, a cat, trending on artstation", ["cat"]),
        ("(a cat:1.2) and a dog", ["cat", "dog"]),
        ("一只猫和一只狗", []),
        # adjectives that wait for their noun
        ("a red and blue clock", ["red blue clock"]),
        ("a big, red car", ["big red car"]),
        ("a clock that is red and a dog", ["clock", "dog"]),
        ("a cat, blue", ["cat"]),
        ("a red, a blue", []),
        # no concepts
        ("the cat is red", ["cat"]),
        ("a cat without a hat and a dog", ["cat", "dog"]),
        ("a cat with no hat", ["cat"]),
        ("a photo of a cat", ["cat"]),
        ("a photo on a table", ["photo", "table"]),
        ("a cat and a dog on a blue background", ["cat", "dog"]),
        ("a cat, simple white background, a dog", ["cat", "dog"]),
        ("a cat, highly detailed, 4k", ["cat"]),
        ("very red", []),
        # words that are adjective and noun
        ("an orange and a cat", ["orange", "cat"]),
        ("an orange cat", ["orange cat"]),
        ("a butterfly and an ugly lily", ["butterfly", "ugly lily"]),
    ],
)
def test_phrases_of_plain_english(text: str, names: list[str]) -> None:
    assert [phrase.name for phrase in phrases_by_rules(text)] == names


def test_the_last_word_is_the_noun_and_those_before_it_modify_it() -> None:
    text = "A Big RED car"
    (phrase,) = phrases_by_rules(text)
    assert phrase.noun.of(text) == "car"
    assert [span.of(text) for span in phrase.modifiers] == ["Big", "RED"]


@given(
    colours=st.lists(st.sampled_from(["red", "blue", "green"]), max_size=3),
    nouns=st.lists(st.sampled_from(["cat", "clock", "teddy"]), min_size=1, max_size=4),
)
def test_articles_and_conjunctions_never_enter_a_phrase(colours: list[str], nouns: list[str]) -> None:
    described = [" ".join([*colours, noun]) for noun in nouns]
    text = " and ".join(f"a {phrase}" for phrase in described)
    assert [phrase.name for phrase in phrases_by_rules(text)] == described
