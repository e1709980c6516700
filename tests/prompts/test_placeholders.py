from hypothesis import given
from hypothesis import strategies as st

from heedful.prompts import Prompt
from heedful.prompts.placeholders import expand
from heedful.prompts.tokens import align
from tests.tokenizers import build_clip

CLIP = build_clip(placeholders=("<toy>", "<toy>_1", "<toy>_2", "<hat>", "<toys>", "<toys>_1"))


def test_text_without_placeholders_is_left_as_it_is() -> None:
    expanded = expand("a cat and a <hat>", CLIP)
    assert expanded.text == "a cat and a <hat>"
    assert expanded.origin(2, 5) == (2, 5)


def test_each_vector_stands_for_the_placeholder_and_the_rest_for_itself() -> None:
    text = "a <toy> and a <toys> cat"
    expanded = expand(text, CLIP)
    assert expanded.text == "a <toy> <toy>_1 <toy>_2 and a <toys> <toys>_1 cat"
    for part in ("<toy>", "<toy>_1", "<toy>_2"):
        start = expanded.text.index(part)
        assert expanded.origin(start, start + len(part)) == (2, 7)
    start = expanded.text.index("cat")
    assert text[slice(*expanded.origin(start, start + 3))] == "cat"


def test_vectors_that_are_written_out_are_not_written_twice() -> None:
    assert expand("a <toy>_1 cat", CLIP).text == "a <toy>_1 cat"


@given(st.lists(st.sampled_from(["a", "cat", "<toy>", "<hat>", "and", "<toys>"]), min_size=1, max_size=8))
def test_every_token_comes_from_a_word_of_the_text(words: list[str]) -> None:
    alignment = align(" ".join(words), CLIP)
    found = [alignment.text[span.start : span.end] for span in alignment.spans[1:-1]]
    vectors = {"<toy>": 3, "<toys>": 2}
    assert found == [word for word in words for _ in range(vectors.get(word, 1))]


def test_concept_has_all_vectors_of_its_placeholder() -> None:
    prompt = Prompt.parse("a red <toy> and a cat", CLIP, ["red <toy>", "cat"])
    assert [concept.token_indices for concept in prompt.concepts] == [(3, 4, 5), (8,)]
