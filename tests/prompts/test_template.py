from transformers import Qwen2Tokenizer

from heedful.prompts import Prompt, Template
from heedful.prompts.tokens import align
from tests.tokenizers import build_glm, build_mistral, build_qwen

TEXT = "a cat and a blue clock"


def qwen() -> Qwen2Tokenizer:
    return build_qwen()


def tokens(prompt: Prompt) -> list[list[str]]:
    return [[prompt.tokens[index] for index in concept.phrase] for concept in prompt.concepts]


def test_tokens_of_a_template_are_no_part_of_the_text() -> None:
    prompt = Prompt.parse(TEXT, qwen(), template=Template("<|im_start|>user\n", "<|im_end|>\n"))
    assert tokens(prompt) == [["cat"], ["blue", "clock"]]
    assert prompt.tokens[0] == "<|im_start|>"
    assert (prompt.tokens[prompt.first], prompt.tokens[prompt.end]) == ("a", "<|im_end|>")
    assert not prompt.has_start


def test_words_of_a_template_are_not_found_as_concepts() -> None:
    prompt = Prompt.parse("a cat", qwen(), ["cat"], template=Template("a cat on a mat: ", " and a cat"))
    assert prompt.tokens[prompt.first : prompt.end] == ("a", "cat")
    assert prompt.concepts[0].token_indices == (prompt.first + 1,)


def test_dropped_tokens_do_not_count() -> None:
    before = "<|im_start|>user\n"
    whole = Prompt.parse(TEXT, qwen(), template=Template(before))
    for dropped in ((0, whole.first), (1, 3)):
        prompt = Prompt.parse(TEXT, qwen(), template=Template(before, dropped=dropped))
        assert tokens(prompt) == tokens(whole)
        assert prompt.first == whole.first - (dropped[1] - dropped[0])


def test_a_token_that_holds_both_template_and_text_is_of_the_text() -> None:
    alignment = align("cat", qwen(), template=Template("a blue "))
    assert alignment.tokens[-1] == "cat"
    assert alignment.before == 2


def test_a_template_may_have_written_the_special_tokens() -> None:
    tokenizer = build_mistral()
    added = align("a cat", tokenizer)
    written = align("a cat", tokenizer, template=Template("<s>", adds_special=False))
    assert added.tokens == written.tokens == ("<s>", "a", "cat")


def test_what_stands_after_padding_counts_from_its_own_beginning_until_it_is_shifted() -> None:
    prompt = Prompt.parse(TEXT, build_glm())
    assert prompt.from_end
    moved = prompt.shifted(5)
    assert not moved.from_end
    assert (moved.first, moved.end, moved.reach) == (prompt.first + 5, prompt.end + 5, prompt.reach + 5)
    assert tokens(moved) == tokens(prompt) == [["cat"], ["blue", "clock"]]
