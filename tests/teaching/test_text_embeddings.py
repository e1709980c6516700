from typing import Any

import pytest
import torch

from heedful.errors import ConceptsDoNotFit
from heedful.teaching.concepts import NewConcept
from heedful.teaching.denoiser_inputs import encode_captions
from heedful.teaching.text_embeddings import LearntEmbeddings, add_concepts, initial_vectors
from tests.pipelines import tiny_pipeline, tiny_sdxl_pipeline

CAT = NewConcept(placeholder="<cat1>", noun="cat")
DOG = NewConcept(placeholder="<dog1>", noun="dog")


@pytest.mark.parametrize("make", [tiny_pipeline, tiny_sdxl_pipeline])
def test_new_words_begin_as_the_words_that_are_named_for_them(make: Any) -> None:
    pipe = make()
    vectors = initial_vectors(pipe, [CAT, DOG], ["clock", "red"])
    add_concepts(pipe, vectors)
    texts = ("a <cat1> and <dog1>", "a clock and red")
    said, known = (encode_captions(pipe, [text], (16, 16))["encoder_hidden_states"] for text in texts)
    torch.testing.assert_close(said, known)


def test_without_rare_tokens_a_new_word_begins_as_its_class() -> None:
    pipe = tiny_pipeline()
    add_concepts(pipe, initial_vectors(pipe, [CAT], None))
    table = pipe.text_encoder.get_input_embeddings().weight
    new, known = (pipe.tokenizer.convert_tokens_to_ids(token) for token in ("<cat1>", "cat</w>"))
    assert torch.equal(table[new], table[known])


def test_a_word_of_several_vectors_is_numbered_as_diffusers_does() -> None:
    pipe = tiny_pipeline()
    add_concepts(pipe, initial_vectors(pipe, [CAT], ["red"], count=3))
    assert CAT.tokens(3) == ("<cat1>", "<cat1>_1", "<cat1>_2")
    assert pipe.maybe_convert_prompt("a <cat1> cat", pipe.tokenizer) == "a <cat1> <cat1>_1 <cat1>_2 cat"


def test_rows_that_are_learnt_are_read_while_installed_and_written_on_demand() -> None:
    pipe = tiny_pipeline()
    add_concepts(pipe, initial_vectors(pipe, [CAT, DOG], ["red", "blue"]))
    table = pipe.text_encoder.get_input_embeddings()
    before, forward = table.weight.detach().clone(), table.forward
    learnt = LearntEmbeddings(pipe, [CAT, DOG])
    with torch.no_grad():
        learnt.rows[0].add_(1)
    with learnt.installed():
        read = table(torch.tensor([pipe.tokenizer.convert_tokens_to_ids("<dog1>"), 3]))
        read.sum().backward()
    assert table.forward == forward
    assert torch.equal(table.weight, before)
    torch.testing.assert_close(read[0], learnt.rows[0][1])
    assert torch.equal(read[1], before[3])
    assert table.weight.grad is None or not table.weight.grad[-2:].any()
    assert torch.equal(learnt.rows[0].grad, torch.tensor([[0.0], [1.0]]).expand(2, 16))
    learnt.write()
    torch.testing.assert_close(table.weight[-2:], before[-2:] + 1)
    assert torch.equal(table.weight[:-2], before[:-2])
    torch.testing.assert_close(learnt.vectors()[DOG][0], before[-1:] + 1)


def test_bad_words_are_refused_and_nothing_is_added() -> None:
    pipe = tiny_pipeline()
    size = len(pipe.tokenizer)
    with pytest.raises(ConceptsDoNotFit, match="one initializer token for each of 2 placeholders, got 1: red"):
        initial_vectors(pipe, [CAT, DOG], ["red"])
    with pytest.raises(ConceptsDoNotFit, match="an initializer that is one token, got 'zebra'"):
        initial_vectors(pipe, [CAT], ["zebra"])
    vectors = initial_vectors(pipe, [CAT, DOG], None)
    with pytest.raises(ConceptsDoNotFit, match=r"vectors of <cat1> for 1 text encoders, got 2"):
        add_concepts(pipe, {CAT: vectors[CAT] * 2})
    with pytest.raises(ConceptsDoNotFit, match=r"width 16 for <dog1>, got 17"):
        add_concepts(pipe, {CAT: vectors[CAT], DOG: [torch.zeros(1, 17)]})
    assert len(pipe.tokenizer) == size
    add_concepts(pipe, vectors)
    with pytest.raises(ConceptsDoNotFit, match="the tokenizer knows <cat1> already"):
        add_concepts(pipe, vectors)
