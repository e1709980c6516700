import pytest
import torch

from heedful.attention import Maps
from heedful.guidance.methods import AttendAndExciteLoss, EbamaLoss, SynGenLoss
from heedful.losses import TextShares
from heedful.prompts import Concept, Modifier, Prompt

WORDS = ("<s>", "red", "cat", "and", "dog", "</s>")
CAT = Concept("red cat", "cat", (2,), (Modifier("red", (1,)),))
DOG = Concept("dog", "dog", (4,))
BOTH = Prompt("red cat and dog", WORDS, (CAT, DOG))
ONE = Prompt("red cat and dog", WORDS, (CAT,))
PLAIN = Prompt("red cat and dog", WORDS, (Concept("cat", "cat", (2,)),))
NOTHING = Prompt("red cat and dog", WORDS, ())
PULL = EbamaLoss(push=0.0, intensity=0.0)
PUSH = EbamaLoss(pull=0.0, intensity=0.0)

LEFT, RIGHT, ALL = [[1.0, 0.0]], [[0.0, 1.0]], [[1.0, 1.0]]


def drawn(red: list[list[float]], cat: list[list[float]], also: list[list[float]], dog: list[list[float]]) -> Maps:
    words = torch.tensor([ALL, red, cat, also, dog, ALL, ALL])
    return Maps(words[None])


def test_cosine_of_equal_maps_is_no_distance_and_of_disjoint_maps_one() -> None:
    assert float(PULL(drawn(LEFT, LEFT, ALL, ALL), [ONE])) == pytest.approx(0, abs=1e-6)
    assert float(PULL(drawn(LEFT, RIGHT, ALL, ALL), [ONE])) == pytest.approx(1)
    assert float(PULL(drawn(LEFT, ALL, ALL, ALL), [ONE])) == pytest.approx(1 - 0.5**0.5)


def test_noun_alone_is_pushed_from_the_words_outside() -> None:
    assert float(PUSH(drawn(ALL, LEFT, LEFT, RIGHT), [ONE])) == pytest.approx(-0.5)
    maps = drawn(ALL, LEFT, LEFT, RIGHT)
    maps.tokens.requires_grad_()
    (gradient,) = torch.autograd.grad(PUSH(maps, [ONE]).sum(), maps.tokens)
    assert float(gradient[0, 1].abs().sum()) == 0  # the modifier
    assert float(gradient[0, 2].abs().sum()) > 0  # its noun


def test_noun_without_modifiers_is_pushed_too_and_once_however_many_it_has() -> None:
    maps = drawn(ALL, LEFT, RIGHT, RIGHT)
    twice = Prompt("", WORDS, (Concept("cat", "cat", (2,), (Modifier("red", (1,)), Modifier("and", (3,)))),))
    assert float(PUSH(maps, [PLAIN])) == pytest.approx(-(2 + (1 - 0.5**0.5)) / 3)
    assert float(PUSH(maps, [twice])) == pytest.approx(-1)
    assert EbamaLoss().idle_for(PLAIN) == ()


def test_kl_is_the_distance_of_syngen() -> None:
    maps = Maps(torch.rand(1, 8, 4, 4, generator=torch.Generator().manual_seed(3)))
    torch.testing.assert_close(
        EbamaLoss(distance="kl", push=0.0, intensity=0.0)(maps, [BOTH]), SynGenLoss(push=0.0)(maps, [BOTH])
    )


def test_intensity_is_the_sum_of_the_peaks_that_attend_and_excite_sees() -> None:
    maps = Maps(torch.randn(1, 8, 4, 4, generator=torch.Generator().manual_seed(4)).softmax(1))
    shares = TextShares(scale=20.0, reference_tokens=16)
    seen = EbamaLoss(pull=0.0, push=0.0, shares=shares)(maps, [BOTH])
    peaks = [
        1 - float(AttendAndExciteLoss(shares=shares)(maps, [Prompt("", WORDS, (concept,))])) for concept in (CAT, DOG)
    ]
    assert float(seen) == pytest.approx(-0.5 * sum(peaks))


def test_prompt_without_concepts_is_refused_by_name_and_adds_nothing() -> None:
    maps = Maps(torch.rand(2, 8, 3, 3).requires_grad_())
    loss = EbamaLoss()(maps, [NOTHING, BOTH])
    assert loss[0] == 0
    (gradient,) = torch.autograd.grad(loss.sum(), maps.tokens)
    assert float(gradient[0].abs().sum()) == 0
    assert float(gradient[1].abs().sum()) > 0
    assert "EbamaLoss needs a concept" in EbamaLoss().idle_for(NOTHING)[0]
    assert EbamaLoss()(Maps(maps.tokens[:1]), [NOTHING]).tolist() == [0]


def test_phrase_that_is_the_whole_prompt_pushes_nothing() -> None:
    alone = Prompt("red cat", ("<s>", "red", "cat", "</s>"), (CAT,))
    assert float(PUSH(drawn(LEFT, RIGHT, ALL, ALL), [alone])) == 0


@pytest.mark.parametrize("distance", ["cosine", "kl"])
@pytest.mark.parametrize("cells", [torch.zeros(3, 3), torch.full((3, 3), 0.2), torch.eye(9)[4].view(3, 3)])
def test_empty_constant_and_one_hot_maps_give_finite_losses_and_gradients(distance: str, cells: torch.Tensor) -> None:
    tokens = cells.expand(1, 8, 3, 3).clone()
    tokens[0, 2] = cells.roll(1, 0)
    maps = Maps(tokens.requires_grad_())
    loss = EbamaLoss(distance=distance)(maps, [BOTH])  # type: ignore[arg-type]
    loss.sum().backward()
    assert maps.tokens.grad is not None
    assert loss.isfinite().all()
    assert maps.tokens.grad.isfinite().all()
