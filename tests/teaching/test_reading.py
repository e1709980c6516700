"""Captions as a pipeline reads them, before and after it knows the new words."""

from typing import Any

import pytest

from heedful.errors import PromptError
from heedful.teaching.concepts import check_lesson, new_concepts
from heedful.teaching.reading import learnt_of, reader_of, taught_reader
from heedful.teaching.settings import TeachingSettings
from heedful.teaching.text_embeddings import add_concepts, initial_vectors
from tests.pipelines import tiny_pipeline
from tests.teaching.lesson import PROMPT
from tests.transformer_pipelines import tiny_flux, tiny_sd3

PLAIN = TeachingSettings(augmentation="none")


def test_the_concepts_that_are_learnt_are_kept_and_no_others() -> None:
    pipe = tiny_pipeline()
    caption = "a <cat1> cat on a blue background"
    concepts = new_concepts(caption, pipe.tokenizer)
    prompt = learnt_of(taught_reader(pipe, concepts, 1)(caption), concepts)
    assert [concept.name for concept in prompt.concepts] == ["<cat1> cat"]
    assert prompt.concepts[0].token_indices == (3,)
    assert prompt.concepts[0].modifiers[0].token_indices == (2,)
    assert "<cat1>" not in pipe.tokenizer.get_vocab()


@pytest.mark.parametrize("make", [tiny_sd3, tiny_flux])
def test_a_word_is_one_token_to_every_text_encoder_that_the_denoiser_sees(make: Any) -> None:
    pipe = make()
    concepts = new_concepts("a <one> cat", pipe.tokenizer)
    known, unknown = taught_reader(pipe, concepts, 1)("a <one> cat"), reader_of(pipe)("a <one> cat")
    (concept,) = known.concepts
    assert len(concept.modifiers[0].token_indices) == (2 if make is tiny_sd3 else 1)
    assert len(unknown.tokens) > len(known.tokens)


@pytest.mark.parametrize(
    ("caption", "says"),
    [
        ("a cat and a dog", r"with the placeholders that are learnt \(<cat1>, <dog1>\), got 'a cat and a dog'"),
        ("a <cow1> cow", "which has <cow1>"),
        ("a <cat1> dog", "Expected <cat1> before 'cat', its noun, in the caption 'a <cat1> dog'"),
    ],
)
def test_captions_from_which_nothing_can_be_learnt_are_refused(caption: str, says: str) -> None:
    pipe = tiny_pipeline()
    concepts = new_concepts(PROMPT, pipe.tokenizer)
    read = taught_reader(pipe, concepts, 1)
    check_lesson([PROMPT, "a <dog1> dog"], read, concepts, PLAIN)
    with pytest.raises(PromptError, match=says):
        check_lesson([PROMPT, caption], read, concepts, PLAIN)


def test_a_word_of_several_vectors_is_read_where_its_pipeline_reads_it() -> None:
    pipe = tiny_pipeline()
    concepts = new_concepts(PROMPT, pipe.tokenizer)
    wanted = learnt_of(taught_reader(pipe, concepts, 2)(PROMPT), concepts)
    add_concepts(pipe, initial_vectors(pipe, concepts, None, 2))
    assert learnt_of(reader_of(pipe)(PROMPT), concepts) == wanted
    ids = pipe.tokenizer(pipe.maybe_convert_prompt(PROMPT, pipe.tokenizer)).input_ids
    names: list[str] = pipe.tokenizer.convert_ids_to_tokens(ids)
    for concept, noun in zip(wanted.concepts, ("cat", "dog"), strict=True):
        assert [names[index] for index in concept.token_indices] == [f"{noun}</w>"]
        (word,) = concept.modifiers
        assert [names[index] for index in word.token_indices] == [f"<{noun}1>", f"<{noun}1>_1"]
