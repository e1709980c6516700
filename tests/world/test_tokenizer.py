from heedful.world.tokenizer import LENGTH, build_tokenizer
from heedful.world.vocabulary import WORDS, single_concept_prompts, two_concept_prompts


def test_every_word_of_the_world_is_one_token() -> None:
    tokenizer = build_tokenizer()
    assert {word: tokenizer.tokenize(word) for word in WORDS} == {word: [f"{word}</w>"] for word in WORDS}


def test_every_benchmark_prompt_fits_and_has_a_token_a_word() -> None:
    tokenizer = build_tokenizer()
    for prompt in (*two_concept_prompts(), *single_concept_prompts()):
        ids = tokenizer(prompt).input_ids
        assert len(ids) == len(prompt.split()) + 2 <= LENGTH


def test_unknown_words_become_pieces_that_decode_to_them() -> None:
    tokenizer = build_tokenizer()
    ids = tokenizer("a zebra in a café", add_special_tokens=False).input_ids
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids) == "a zebra in a café"


def test_two_builds_give_the_same_ids() -> None:
    assert build_tokenizer().get_vocab() == build_tokenizer().get_vocab()
