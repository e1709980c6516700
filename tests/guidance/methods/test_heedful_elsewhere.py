"""Elsewhere on maps whose sums are known."""

from dataclasses import replace

import pytest
import torch

from heedful.attention import Maps
from heedful.guidance.methods import Elsewhere, Separability
from heedful.prompts import Concept, Prompt

WORDS = ("<s>", "cat", "dog", "</s>")
TWO = Prompt("cat dog", WORDS, tuple(Concept(WORDS[i], WORDS[i], (i,)) for i in (1, 2)))
ONE = Prompt("cat", WORDS, TWO.concepts[:1])
NONE = Prompt("and", WORDS, ())

CAT = [0.5, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
DOG = [0.0, 0.0, 0.0, 0.0, 0.1, 0.4, 0.1, 0.0]
END = [0.1, 0.1, 0.0, 0.2, 0.1, 0.1, 0.1, 0.3]


def drawn(*tokens: list[float]) -> Maps:
    """Maps of tokens 1, 2, 3 of one row of cells; the start token takes the rest."""
    told = torch.tensor(tokens, dtype=torch.float64)
    return Maps(torch.cat([1 - told.sum(0, keepdim=True), told])[None, :, None])


def test_value_compares_the_highest_heed_far_from_the_concepts_and_near_them() -> None:
    maps = drawn(CAT, DOG, END)
    # cells 0-3 lie around the cat, 2-7 around the dog; alone, the cat leaves the dog's cells
    assert float(Elsewhere()(maps, [TWO])) == pytest.approx(0)
    assert float(Elsewhere()(maps, [ONE])) == pytest.approx(0.5 / 1.1)
    assert float(Elsewhere(reach=0.2)(maps, [TWO])) == pytest.approx(0.3 / 0.9)


def test_it_sees_what_the_map_of_no_concept_shows() -> None:
    clean, cluttered = drawn(CAT, DOG, [0.0] * 8), drawn(CAT, DOG, [0.0] * 7 + [0.45])
    assert float(Separability()(clean, [TWO])) == float(Separability()(cluttered, [TWO]))
    assert float(Elsewhere(reach=0.2)(clean, [TWO])) == pytest.approx(0)
    assert float(Elsewhere(reach=0.2)(cluttered, [TWO])) == pytest.approx(0.45 / 0.95)


def test_a_step_down_gives_the_third_place_to_the_start_token() -> None:
    maps = drawn(CAT, DOG, END)
    maps.tokens.requires_grad_()
    (gradient,) = torch.autograd.grad(Elsewhere(reach=0.2)(maps, [TWO]).sum(), maps.tokens)
    start = gradient[0, 0, 0]
    assert float(start[7]) < 0 < float(start[0])
    assert not gradient[0, 1:].any()


def test_prompts_of_a_batch_may_have_different_numbers_of_concepts() -> None:
    batch = Maps(drawn(CAT, DOG, END).tokens.repeat(3, 1, 1, 1))
    assert Elsewhere(reach=0.2)(batch, [TWO, ONE, NONE]).tolist() == pytest.approx([0.3 / 0.9, 0.5 / 1.1, 0])
    assert "Elsewhere needs a concept" in Elsewhere().idle_for(NONE)[0]


def test_without_a_start_token_the_end_token_and_the_padding_are_idle() -> None:
    """T5's tokens: cat, dog, end, and one of padding; each cell's attention sums to 1."""
    prompt = Prompt("cat dog", WORDS[1:], tuple(Concept(WORDS[i], WORDS[i], (i - 1,)) for i in (1, 2)), has_start=False)
    words = torch.tensor([CAT, DOG], dtype=torch.float64)
    stray = torch.tensor([0.0] * 7 + [0.3])  # of "cat", far from its peak
    words[0] += stray
    idle = 1 - words.sum(0)
    maps = Maps(torch.cat([words, 0.25 * idle[None], 0.75 * idle[None]])[None, :, None])
    assert float(Elsewhere(reach=0.2)(maps, [prompt])) == pytest.approx(0.3 / 0.8)
    assert Elsewhere().idle_for(prompt) == ()


def test_attention_to_the_scenery_counts_for_nothing() -> None:
    """The dog is no concept here: a thing that a list leaves out, or a background."""
    maps = drawn(CAT, DOG, END)
    assert float(Elsewhere()(maps, [ONE])) == pytest.approx(0.5 / 1.1)
    assert float(Elsewhere()(maps, [replace(ONE, scenery=(2,))])) == pytest.approx(0.3 / 0.9)


def test_rows_of_the_text_say_nothing_about_what_a_cell_heeds() -> None:
    shared_out = drawn(CAT, DOG, END)
    words = Maps((2 * shared_out.tokens).requires_grad_(), rows="text")
    values = Elsewhere(reach=0.2)(words, [TWO])
    values.sum().backward()
    assert values.tolist() == [0]
    assert words.tokens.grad is not None
    assert not words.tokens.grad.any()
    assert float(Elsewhere(reach=0.2)(shared_out, [TWO])) > 0
