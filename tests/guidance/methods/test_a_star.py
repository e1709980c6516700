import pytest
import torch

from heedful.attention import Maps
from heedful.guidance.methods import Retention, Segregation
from heedful.losses import Preparation
from heedful.prompts import Concept, Prompt

WORDS = ("<s>", "cat", "dog", "frog", "</s>")
THREE = Prompt("cat dog frog", WORDS, tuple(Concept(WORDS[i], WORDS[i], (i,)) for i in (1, 2, 3)))
TWO = Prompt("cat dog", WORDS, THREE.concepts[:2])
ONE = Prompt("cat", WORDS, THREE.concepts[:1])


def drawn(*concepts: list[list[float]]) -> Maps:
    """Maps of tokens 1, 2, ... drawn by hand; the others are zero."""
    maps = torch.tensor(concepts)
    return Maps(torch.cat([torch.zeros(1, *maps.shape[1:]), maps, torch.zeros(4 - len(maps), *maps.shape[1:])])[None])


LEFT, RIGHT, ALL = [[1.0, 0.0]] * 2, [[0.0, 1.0]] * 2, [[1.0, 1.0]] * 2


def test_segregation_sums_over_pairs() -> None:
    assert float(Segregation()(drawn(LEFT, RIGHT), [TWO])) == 0
    assert float(Segregation()(drawn(LEFT, LEFT), [TWO])) == pytest.approx(0.5)
    assert float(Segregation()(drawn(LEFT, ALL), [TWO])) == pytest.approx(2 / 6)
    assert float(Segregation()(drawn(LEFT, LEFT, LEFT), [THREE])) == pytest.approx(1.5)


def test_true_ratio_is_intersection_over_union() -> None:
    assert float(Segregation(ratio="true")(drawn(LEFT, LEFT), [TWO])) == pytest.approx(1)
    assert float(Segregation(ratio="true")(drawn(LEFT, ALL), [TWO])) == pytest.approx(0.5)


def test_prompt_with_one_concept_has_nothing_to_segregate() -> None:
    maps = drawn(LEFT, LEFT)
    maps.tokens.requires_grad_()
    loss = Segregation()(maps, [ONE])
    assert loss.tolist() == [0]
    (gradient,) = torch.autograd.grad(loss.sum(), maps.tokens)
    assert float(gradient.abs().sum()) == 0
    assert "adds nothing" in Segregation().idle_for(ONE)[0]


def test_prompts_of_a_batch_may_have_different_numbers_of_concepts() -> None:
    maps = drawn(LEFT, LEFT, LEFT)
    batch = Maps(maps.tokens.repeat(3, 1, 1, 1))
    assert Segregation()(batch, [THREE, TWO, ONE]).tolist() == pytest.approx([1.5, 0.5, 0])
    assert Retention()(batch, [THREE, TWO, ONE], batch).tolist() == pytest.approx([1.5, 1.0, 0.5])


def test_retention_is_zero_at_the_first_step() -> None:
    assert Retention()(drawn(LEFT), [ONE]).tolist() == [0]


def test_retention_falls_when_a_concept_stays_where_it_was() -> None:
    stays, moves, spreads = (float(Retention()(drawn(now), [ONE], drawn(LEFT))) for now in (LEFT, RIGHT, ALL))
    assert stays == pytest.approx(0.5)
    assert moves == pytest.approx(1)
    assert stays < spreads < moves
    assert float(Retention(ratio="true")(drawn(LEFT), [ONE], drawn(LEFT))) == pytest.approx(0)


def test_no_gradient_passes_through_the_mask_of_the_step_before() -> None:
    now, before = drawn([[0.3, 0.1], [0.2, 0.4]]), drawn([[0.1, 0.3], [0.2, 0.4]])
    now.tokens.requires_grad_()
    before.tokens.requires_grad_()
    Retention()(now, [ONE], before).sum().backward()
    assert now.tokens.grad is not None
    assert before.tokens.grad is None


@pytest.mark.parametrize("normalisation", ["none", "max", "min-max", "sum", "softmax100"])
def test_constant_and_empty_maps_give_finite_losses_and_gradients(normalisation: str) -> None:
    for value in (0.0, 0.2):
        maps = Maps(torch.full((1, 5, 3, 3), value).requires_grad_())
        loss = Segregation(prepare=Preparation(normalisation=normalisation))(maps, [TWO])  # type: ignore[arg-type]
        loss = loss + Retention(prepare=Preparation(normalisation=normalisation))(maps, [TWO], maps)  # type: ignore[arg-type]
        loss.sum().backward()
        assert maps.tokens.grad is not None
        assert loss.isfinite().all()
        assert maps.tokens.grad.isfinite().all()


def test_smoothing_is_a_choice() -> None:
    apart = drawn([[1.0, 0, 0, 0]] * 4, [[0, 1.0, 0, 0]] * 4)
    assert float(Segregation()(apart, [TWO])) == 0
    assert float(Segregation(prepare=Preparation(sigma=0.5))(apart, [TWO])) > 0.1
