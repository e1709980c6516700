import math

import pytest
import torch

from heedful.attention import Maps
from heedful.guidance.methods import SynGenLoss
from heedful.losses import outside
from heedful.prompts import Concept, Modifier, Prompt
from heedful.world.tokenizer import build_tokenizer

TOKENIZER = build_tokenizer()
WORDS = ("<s>", "red", "cat", "and", "dog", "</s>")
CAT = Concept("red cat", "cat", (2,), (Modifier("red", (1,)),))
DOG = Concept("dog", "dog", (4,))
BOTH = Prompt("red cat and dog", WORDS, (CAT, DOG))
BARE = Prompt("cat and dog", ("<s>", "cat", "and", "dog", "</s>"), (Concept("cat", "cat", (1,)),))
PULL, PUSH = SynGenLoss(push=0.0), SynGenLoss(pull=0.0)

P, Q = [[0.75, 0.25]], [[0.25, 0.75]]
FAR = 0.5 * math.log(3)  # (KL + KL) / 2 of P and Q, by hand: .5 ln 3 both ways


def drawn(**tokens: list[list[float]]) -> Maps:
    """Maps of the words of BOTH by name; the others are even."""
    maps = torch.full((1, len(WORDS) + 2, 1, 2), 0.5)
    for word, cells in tokens.items():
        maps[0, WORDS.index(word)] = torch.tensor(cells)
    return Maps(maps)


def test_words_outside_a_phrase_are_articles_conjunctions_and_other_concepts() -> None:
    prompt = Prompt.parse("a red cat and a blue clock", TOKENIZER)
    cat, clock = prompt.concepts
    assert outside(prompt, cat) == ((1,), (4,), (5,), (6,), (7,))
    assert outside(prompt, clock) == ((1,), (2,), (3,), (4,), (5,))


def test_words_outside_are_never_special() -> None:
    assert outside(BOTH, CAT) == ((3,), (4,))
    assert outside(Prompt("red cat", WORDS[:3] + WORDS[-1:], (CAT,)), CAT) == ()


def test_modifier_is_pulled_to_its_noun() -> None:
    assert float(PULL(drawn(red=P, cat=P), [BOTH])) == pytest.approx(0)
    assert float(PULL(drawn(red=P, cat=Q), [BOTH])) == pytest.approx(FAR)


def test_noun_and_modifier_are_pushed_from_every_other_word() -> None:
    maps = drawn(red=P, cat=P, dog=Q)
    maps.tokens[0, 3] = torch.tensor(P)  # "and" is with them, "dog" is far: on average half as far
    assert float(PUSH(maps, [BOTH])) == pytest.approx(-FAR / 2)
    maps.tokens[0, 2] = torch.tensor(Q)  # the noun is with the dog and far from "and"
    assert float(PUSH(maps, [BOTH])) == pytest.approx(-FAR / 2)


def test_special_tokens_and_padding_do_not_count() -> None:
    maps = drawn(red=P, cat=Q)
    other = Maps(maps.tokens.clone())
    other.tokens[:, [0, 5, 6, 7]] = torch.rand(4, 1, 2)
    assert float(SynGenLoss()(maps, [BOTH])) == float(SynGenLoss()(other, [BOTH]))


def test_scale_of_a_map_does_not_matter() -> None:
    maps = drawn(red=P, cat=Q)
    weak = Maps(maps.tokens.clone())
    weak.tokens[:, 2] *= 0.01
    torch.testing.assert_close(SynGenLoss()(maps, [BOTH]), SynGenLoss()(weak, [BOTH]))


def test_several_modifiers_are_several_pairs() -> None:
    twice = Prompt("red cat", WORDS, (Concept("cat", "cat", (2,), (Modifier("red", (1,)), Modifier("and", (3,)))),))
    maps = drawn(red=P, cat=Q)
    maps.tokens[0, 3] = torch.tensor(P)
    assert float(PULL(maps, [twice])) == pytest.approx(2 * FAR)


def test_word_of_several_tokens_is_their_mean() -> None:
    split = Prompt(BOTH.text, WORDS, (Concept("red cat", "cat", (2, 4), (Modifier("red", (1,)),)),))
    assert float(PULL(drawn(red=[[0.5, 0.5]], cat=P, dog=Q), [split])) == pytest.approx(0)


def test_prompt_without_modifiers_is_refused_by_name_and_adds_nothing() -> None:
    maps = Maps(torch.rand(2, 8, 3, 3).requires_grad_())
    loss = SynGenLoss()(maps, [BARE, BOTH])
    assert loss[0] == 0
    assert loss[1] != 0
    (gradient,) = torch.autograd.grad(loss.sum(), maps.tokens)
    assert float(gradient[0].abs().sum()) == 0
    assert float(gradient[1].abs().sum()) > 0
    assert SynGenLoss().idle_for(BARE) == (
        "SynGenLoss needs a concept with a modifier, like 'blue clock', and 'cat and dog' has none: it adds nothing.",
    )
    assert SynGenLoss().idle_for(BOTH) == ()
    assert SynGenLoss()(Maps(maps.tokens[:1]), [BARE]).tolist() == [0]


def test_phrase_that_is_the_whole_prompt_pushes_nothing() -> None:
    alone = Prompt("red cat", ("<s>", "red", "cat", "</s>"), (CAT,))
    maps = drawn(red=P, cat=Q)
    assert float(PUSH(maps, [alone])) == 0
    assert float(SynGenLoss()(maps, [alone])) == pytest.approx(FAR)


@pytest.mark.parametrize(
    "cells", [torch.zeros(3, 3), torch.full((3, 3), 0.2), torch.eye(3), torch.eye(9)[4].view(3, 3)]
)
def test_empty_constant_and_one_hot_maps_give_finite_losses_and_gradients(cells: torch.Tensor) -> None:
    tokens = cells.expand(1, 8, 3, 3).clone()
    tokens[0, 2] = cells.flip(0)
    maps = Maps(tokens.requires_grad_())
    loss = SynGenLoss()(maps, [BOTH])
    loss.sum().backward()
    assert maps.tokens.grad is not None
    assert loss.isfinite().all()
    assert maps.tokens.grad.isfinite().all()
