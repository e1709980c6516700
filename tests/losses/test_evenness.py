import math

import pytest
import torch
from torch import Tensor

from heedful.attention import Maps
from heedful.losses import Evenness, OwnArea
from heedful.losses.evenness import Unevenness, unevenness
from heedful.prompts import Concept, Prompt

WORDS = ("<s>", "cat", "dog", "</s>")
TWO = Prompt("cat dog", WORDS, (Concept("cat", "cat", (1,)), Concept("dog", "dog", (2,))))
ONE = Prompt("cat", WORDS, TWO.concepts[:1])
NONE = Prompt("and", WORDS, ())
MEASURES = pytest.mark.parametrize("measure", ["entropy", "cv", "gini"])


def drawn(*concepts: list[float]) -> Maps:
    """Maps of tokens 1, 2 of one row of cells; the others are zero."""
    tokens = torch.zeros(1, 5, 1, len(concepts[0]), dtype=torch.float64)
    tokens[0, 1 : 1 + len(concepts), 0] = torch.tensor(concepts, dtype=torch.float64)
    return Maps(tokens)


@MEASURES
def test_even_area_is_zero_whatever_lies_outside(measure: Unevenness) -> None:
    loss = Evenness(measure=measure)
    assert float(loss(drawn([0.7, 0.7, 0.7, 0.2, 0.0]), [ONE])) == pytest.approx(0, abs=1e-12)
    assert float(loss(drawn([0.7, 0.0, 0.0, 0.0, 0.0]), [ONE])) == 0  # one cell
    assert float(loss(drawn([0.9, 0.5, 0.7, 0.2, 0.0]), [ONE])) > 1e-3


@MEASURES
def test_less_even_is_more(measure: Unevenness) -> None:
    loss = Evenness(measure=measure)
    values = [float(loss(drawn([1.0, low, 1.0, low, 0.0]), [ONE])) for low in (0.9, 0.7, 0.5)]
    assert values == sorted(values)
    assert values[0] < values[2]


def test_measures_are_their_formulas() -> None:
    cells = torch.tensor([[[0.1, 0.6, 0.3, 0.9]]], dtype=torch.float64)
    inside = torch.tensor([[[True, True, True, False]]])
    values = [0.1, 0.6, 0.3]
    mean = sum(values) / 3
    entropy = -sum(v * math.log(v) for v in values)  # they sum to 1
    spread = math.sqrt(sum((v - mean) ** 2 for v in values) / 3)
    gini = sum(abs(a - b) for a in values for b in values) / (2 * 9 * mean)
    assert float(unevenness(cells, inside, "entropy")) == pytest.approx(1 - entropy / math.log(3))
    assert float(unevenness(cells, inside, "cv")) == pytest.approx(spread / mean)
    assert float(unevenness(cells, inside, "gini")) == pytest.approx(gini)


@MEASURES
def test_scale_of_a_map_does_not_matter(measure: Unevenness) -> None:
    strong, weak = drawn([0.9, 0.5, 0.7, 0.2]), drawn([0.09, 0.05, 0.07, 0.02])
    loss = Evenness(measure=measure)
    assert float(loss(strong, [ONE])) == pytest.approx(float(loss(weak, [ONE])))


@MEASURES
def test_gradient_stays_inside_the_area_and_levels_it(measure: Unevenness) -> None:
    maps = drawn([0.9, 0.5, 0.7, 0.2, 0.0], [0.0, 0.0, 0.0, 0.3, 0.4])
    maps.tokens.requires_grad_()
    (gradient,) = torch.autograd.grad(Evenness(measure=measure)(maps, [TWO]).sum(), maps.tokens)
    cat, dog = gradient[0, 1, 0], gradient[0, 2, 0]
    assert cat[0] > 0 > cat[1]
    assert cat[3:].tolist() == [0, 0]
    assert dog[4] > 0 > dog[3]
    assert dog[:3].tolist() == [0, 0, 0]


@MEASURES
def test_area_is_a_choice(measure: Unevenness) -> None:
    maps = drawn([0.9, 0.8, 0.7, 0.2, 0.0])
    small, large = (float(Evenness(measure=measure, area=OwnArea(peak=peak))(maps, [ONE])) for peak in (0.5, 0.1))
    assert small < large


def test_mean_over_the_concepts_of_each_item() -> None:
    maps = drawn([1.0, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0])
    batch = Maps(maps.tokens.repeat(3, 1, 1, 1))
    both, one, none = Evenness()(batch, [TWO, ONE, NONE]).tolist()
    assert both == pytest.approx(one / 2)
    assert one > 0
    assert none == 0
    assert "Evenness needs a concept" in Evenness().idle_for(NONE)[0]


@MEASURES
@pytest.mark.parametrize("cells", [torch.zeros(3, 3), torch.full((3, 3), 0.2), torch.eye(9)[4].view(3, 3)])
def test_empty_constant_and_one_hot_maps_give_finite_losses_and_gradients(measure: Unevenness, cells: Tensor) -> None:
    maps = Maps(cells.expand(1, 5, 3, 3).clone().requires_grad_())
    for contest in ("relative", "none"):
        loss = Evenness(measure=measure, area=OwnArea(contest=contest))(maps, [TWO])  # type: ignore[arg-type]
        assert loss.tolist() == pytest.approx([0.0], abs=1e-6)
        (gradient,) = torch.autograd.grad(loss.sum(), maps.tokens)
        assert gradient.isfinite().all()
