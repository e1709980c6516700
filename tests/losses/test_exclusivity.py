import math

import pytest
import torch
from torch import Tensor

from heedful.attention import Maps
from heedful.guidance.methods import Segregation
from heedful.losses import Exclusivity
from heedful.prompts import Concept, Prompt

WORDS = ("<s>", "cat", "dog", "frog", "</s>")
THREE = Prompt("cat dog frog", WORDS, tuple(Concept(WORDS[i], WORDS[i], (i,)) for i in (1, 2, 3)))
TWO = Prompt("cat dog", WORDS, THREE.concepts[:2])
ONE = Prompt("cat", WORDS, THREE.concepts[:1])
BOTH = pytest.mark.parametrize("loss", [Exclusivity(), Exclusivity(impurity="entropy")], ids=repr)


def drawn(*concepts: list[float]) -> Maps:
    """Maps of tokens 1, 2, ... of one row of cells; the others are zero."""
    tokens = torch.zeros(1, 5, 1, len(concepts[0]), dtype=torch.float64)
    tokens[0, 1 : 1 + len(concepts), 0] = torch.tensor(concepts, dtype=torch.float64)
    return Maps(tokens)


@BOTH
def test_disjoint_maps_are_exclusive_and_equal_maps_are_not(loss: Exclusivity) -> None:
    assert float(loss(drawn([0.5, 0.2, 0.0], [0.0, 0.0, 0.1]), [TWO])) == pytest.approx(0, abs=1e-12)
    assert float(loss(drawn([0.5, 0.2, 0.1], [0.5, 0.2, 0.1]), [TWO])) == pytest.approx(1)
    assert float(loss(drawn([0.5, 0.2], [0.5, 0.2], [0.5, 0.2]), [THREE])) == pytest.approx(1)
    assert float(loss(drawn([0.5, 0, 0], [0, 0.2, 0], [0, 0, 1]), [THREE])) == pytest.approx(0, abs=1e-12)


def test_gini_is_the_chance_that_a_cell_goes_to_another() -> None:
    p, q = (0.75, 0.25), (0.25, 0.75)
    expected = sum(a * b / (a + b) + b * a / (a + b) for a, b in zip(p, q, strict=True))
    assert float(Exclusivity()(drawn(list(p), list(q)), [TWO])) == pytest.approx(expected)


def test_entropy_is_one_less_the_jensen_shannon_divergence() -> None:
    p, q = (0.75, 0.25), (0.25, 0.75)
    divergence = sum(a * math.log(a / 0.5) + b * math.log(b / 0.5) for a, b in zip(p, q, strict=True)) / 2
    loss = float(Exclusivity(impurity="entropy")(drawn(list(p), list(q)), [TWO]))
    assert loss == pytest.approx(1 - divergence / math.log(2))


@BOTH
def test_neglect_is_no_way_to_the_minimum_as_it_is_for_segregation(loss: Exclusivity) -> None:
    strong, weak = drawn([0.5, 0.2, 0.1], [0.4, 0.3, 0.1]), drawn([0.5, 0.2, 0.1], [0.004, 0.003, 0.001])
    assert float(loss(weak, [TWO])) == pytest.approx(float(loss(strong, [TWO])))
    assert float(Segregation()(weak, [TWO])) < 0.05 * float(Segregation()(strong, [TWO]))


@BOTH
def test_contested_cell_moves_both_concepts(loss: Exclusivity) -> None:
    """Both should leave the cell in the middle for their own."""
    maps = drawn([0.5, 0.2, 0.0], [0.0, 0.3, 0.5])
    maps.tokens.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(maps, [TWO]).sum(), maps.tokens)
    cat, dog = gradient[0, 1, 0], gradient[0, 2, 0]
    assert cat[1] > 0 > cat[0]
    assert dog[1] > 0 > dog[2]


@BOTH
def test_one_concept_is_refused_by_name_and_adds_nothing(loss: Exclusivity) -> None:
    maps = Maps(drawn([0.5, 0.2, 1e-9], [0.4, 0.3, 0.1], [0.1, 0.3, 0.1]).tokens.repeat(3, 1, 1, 1).requires_grad_())
    values = loss(maps, [ONE, TWO, THREE])
    assert values[0] == 0
    assert values[1].item() == pytest.approx(loss(maps[1], [TWO]).item())
    (gradient,) = torch.autograd.grad(values.sum(), maps.tokens)
    assert float(gradient[0].abs().sum()) == 0
    assert float(gradient[1].abs().sum()) > 0
    assert loss.idle_for(ONE) == ("Exclusivity needs two concepts, and 'cat' has 'cat': it adds nothing.",)
    assert loss.idle_for(TWO) == ()
    assert loss(maps[0], [Prompt("and", WORDS, ())]).tolist() == [0]


@BOTH
@pytest.mark.parametrize("cells", [torch.zeros(3, 3), torch.full((3, 3), 0.2), torch.eye(9)[4].view(3, 3)])
def test_empty_constant_and_one_hot_maps_give_finite_losses_and_gradients(loss: Exclusivity, cells: Tensor) -> None:
    tokens = cells.expand(1, 5, 3, 3).clone()
    tokens[0, 2] = cells.roll(1, 0)
    maps = Maps(tokens.requires_grad_())
    value = loss(maps, [TWO])
    value.sum().backward()
    assert maps.tokens.grad is not None
    assert value.isfinite().all()
    assert maps.tokens.grad.isfinite().all()
