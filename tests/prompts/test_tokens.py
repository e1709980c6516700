import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from heedful.errors import EmptyPrompt, PromptTooLong, UnsupportedPipeline
from heedful.prompts.tokens import Span, Tokenizer, align, find_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a red cube", ["a", "red", "cube"]),
        ("a cat's o'clock hat", ["a", "cat", "'s", "o'clock", "hat"]),
        ("tic-tac-toe, please!", ["tic-tac-toe", "please"]),
        ("a <cat1> cat by <new-toy>_2", ["a", "<cat1>", "cat", "by", "<new-toy>_2"]),
        ("cafe\u0301 猫 2 x", ["cafe\u0301", "猫", "2", "x"]),
        ("... !?", []),
    ],
)
def test_words_are_found_with_their_inner_marks(text: str, words: list[str]) -> None:
    assert [span.of(text) for span in find_words(text)] == words


def test_tokens_are_readable_and_the_start_token_has_index_zero(clip: CLIPTokenizer) -> None:
    alignment = align("A  teddy\ncat", clip)
    assert alignment.tokens == ("<|startoftext|>", "A", "ted", "dy", "cat", "<|endoftext|>")
    assert alignment.indices(Span(3, 8)) == (2, 3)


def test_without_a_start_token_the_first_word_has_index_zero(t5: Tokenizer) -> None:
    alignment = align("cat and clock", t5)
    assert alignment.tokens == ("cat", "and", "clock", "</s>")
    assert alignment.indices(Span(8, 13)) == (2,)


def test_the_space_before_a_word_is_no_part_of_it(t5: Tokenizer) -> None:
    alignment = align("cat zoo", t5)
    assert alignment.tokens[1:] == ("\N{LOWER ONE EIGHTH BLOCK}", "z", "o", "o", "</s>")
    assert alignment.indices(Span(4, 7)) == (2, 3, 4)


def test_a_character_of_several_bytes_has_all_its_tokens(clip: CLIPTokenizer) -> None:
    assert align("a 猫 cat", clip).indices(Span(2, 3)) == (2, 3, 4)


def test_unknown_text_is_noticed(t5: Tokenizer) -> None:
    assert align("a cat 猫", t5).unknown == (3,)


@given(text=st.text(max_size=25))
def test_in_any_text_every_word_has_tokens_and_no_two_words_share_one(clip: CLIPTokenizer, text: str) -> None:
    words = find_words(text)
    if not words:
        with pytest.raises(EmptyPrompt):
            align(text, clip)
        return
    alignment = align(text, clip)
    indices = [alignment.indices(word) for word in words]
    assert all(indices)
    assert all(left[-1] < right[0] for left, right in itertools.pairwise(indices))


@pytest.mark.parametrize("text", ["", "  \n", "...", "😀"])
def test_a_prompt_without_words_is_refused(clip: CLIPTokenizer, text: str) -> None:
    with pytest.raises(EmptyPrompt, match=r"Expected a prompt with words, got '.*'\. Say what the image should show"):
        align(text, clip)


def test_a_prompt_may_fill_the_limit_exactly(clip: CLIPTokenizer) -> None:
    assert len(align("cat " * 75, clip).tokens) == 77


def test_a_prompt_over_the_limit_names_the_limit_its_length_and_the_lost_words(clip: CLIPTokenizer) -> None:
    with pytest.raises(PromptTooLong) as caught:
        align("cat " * 75 + "clock", clip)
    assert str(caught.value) == (
        "Expected at most 77 tokens, got a prompt of 78 (special tokens included). "
        "These words fall beyond the limit: clock. Shorten the prompt; or, if the pipeline gets prompt_embeds of "
        "several chunks, pass Prompt.parse(text, pipe.tokenizer, chunked=True)."
    )


def test_a_word_that_is_cut_in_half_is_lost(clip: CLIPTokenizer) -> None:
    with pytest.raises(PromptTooLong, match="beyond the limit: teddy"):
        align("cat " * 74 + "teddy", clip)


@pytest.mark.parametrize("text", ["a" * 2_000_000, "cat and dog " * 200_000])
def test_a_file_that_is_taken_for_a_prompt_is_refused_at_once(clip: CLIPTokenizer, text: str) -> None:
    with pytest.raises(PromptTooLong, match=rf"at most 10000 characters, got one of {len(text)}"):
        align(text, clip, chunked=True)


def test_of_several_hundred_lost_words_only_the_first_are_listed(
    clip: CLIPTokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(PromptTooLong, match=r"got a prompt of 402 .*: (cat, ){11}cat and 313 more\."):
        align("cat " * 400, clip)
    assert caplog.text == ""


def test_a_tokenizer_without_offsets_is_unsupported() -> None:
    class Slow:
        model_max_length = 77
        unk_token_id = None

        def __call__(self, text: str, **settings: Any) -> dict[str, Any]:
            raise NotImplementedError(text, settings)

        def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
            raise AssertionError(ids)

    with pytest.raises(UnsupportedPipeline, match="Expected a tokenizer that knows character offsets, got Slow"):
        align("a cat", Slow())


def test_a_tokenizer_whose_offsets_are_empty_is_unsupported() -> None:
    class Empty:
        model_max_length = 77
        unk_token_id = None

        def __call__(self, text: str, **settings: Any) -> dict[str, Any]:
            return {"input_ids": [5], "offset_mapping": [], "special_tokens_mask": [0]}

        def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
            raise AssertionError(ids)

    with pytest.raises(UnsupportedPipeline, match="character offsets, got Empty"):
        align("a cat", Empty())
