"""Suppression, and the areas that it shares with Evenness."""

import pytest
import torch
from torch import Tensor

from heedful import losses
from heedful.attention import Maps
from heedful.losses import Evenness, OwnArea, Suppression
from heedful.prompts import Concept, Prompt

WORDS = ("<s>", "cat", "dog", "frog", "</s>")
THREE = Prompt("cat dog frog", WORDS, tuple(Concept(WORDS[i], WORDS[i], (i,)) for i in (1, 2, 3)))
TWO = Prompt("cat dog", WORDS, THREE.concepts[:2])
ONE = Prompt("cat", WORDS, THREE.concepts[:1])
NONE = Prompt("and", WORDS, ())
HIGH = OwnArea(contest="none")


def drawn(*concepts: list[float]) -> Maps:
    """Maps of tokens 1, 2, ... of one row of cells; the others are zero."""
    tokens = torch.zeros(1, 5, 1, len(concepts[0]), dtype=torch.float64)
    tokens[0, 1 : 1 + len(concepts), 0] = torch.tensor(concepts, dtype=torch.float64)
    return Maps(tokens)


def areas(area: OwnArea, maps: Maps, prompt: Prompt) -> list[list[int]]:
    """The cells of each concept's area."""
    return [row.nonzero().flatten().tolist() for row in area(maps.group([prompt]))[0].flatten(-2)]


def test_area_is_where_a_map_is_high_and_loses_to_no_other() -> None:
    maps = drawn([1.0, 0.9, 0.5, 0.1], [0.1, 0.2, 0.7, 1.0])
    assert areas(OwnArea(), maps, TWO) == [[0, 1], [2, 3]]
    assert areas(HIGH, maps, TWO) == [[0, 1, 2], [2, 3]]


def test_threshold_of_the_peak_is_a_share_of_it() -> None:
    maps = drawn([1.0, 0.9, 0.5, 0.1])
    assert areas(OwnArea(peak=0.95), maps, ONE) == [[0]]
    assert areas(OwnArea(peak=0.05), maps, ONE) == [[0, 1, 2, 3]]


@pytest.mark.parametrize(("threshold", "cells"), [("mean", [0, 1]), ("otsu", [0, 1]), ("quantile", [0])])
def test_thresholds_of_masks_can_be_asked_for(threshold: str, cells: list[int]) -> None:
    maps = drawn([1.0, 0.9, 0.5, 0.1])
    assert areas(OwnArea(threshold=threshold, quantile=0.7), maps, ONE) == [cells]  # type: ignore[arg-type]


def test_weak_concept_keeps_the_cell_of_its_peak_in_the_relative_contest_alone() -> None:
    maps = drawn([1.0, 0.9, 0.5, 0.1], [0.01, 0.02, 0.08, 0.05])
    assert areas(OwnArea(), maps, TWO) == [[0, 1], [2, 3]]
    assert areas(OwnArea(contest="absolute"), maps, TWO) == [[0, 1, 2], []]


def test_tied_cells_belong_to_all_who_tie() -> None:
    assert areas(OwnArea(), drawn([1.0, 0.0], [1.0, 0.0]), TWO) == [[0], [0]]


def test_smoothing_joins_a_speckled_area() -> None:
    maps = drawn([1.0, 0.3, 1.0, 0.0, 0.0])
    assert areas(OwnArea(), maps, ONE) == [[0, 2]]
    assert areas(OwnArea(sigma=1.0), maps, ONE) == [[0, 1, 2]]


def test_empty_maps_have_no_area() -> None:
    assert areas(OwnArea(), drawn([0.0, 0.0], [0.0, 0.1]), TWO) == [[], [1]]


def test_loss_is_the_share_of_a_concept_outside_its_area() -> None:
    maps = drawn([0.6, 0.3, 0.1, 0.0], [0.0, 0.0, 0.0, 0.2])
    assert float(Suppression()(maps, [ONE])) == pytest.approx(0.1)
    assert float(Suppression()(maps, [TWO])) == pytest.approx(0.05)
    assert float(Suppression(area=OwnArea(peak=0.6))(maps, [ONE])) == pytest.approx(0.4)


def test_mass_inside_the_area_of_another_concept_is_outside() -> None:
    maps = drawn([0.6, 0.3, 0.3, 0.0], [0.0, 0.0, 0.2, 0.2])
    assert float(Suppression(area=HIGH)(maps, [TWO])) == pytest.approx(0)
    assert float(Suppression()(maps, [TWO])) == pytest.approx(0.3 / 1.2 / 2)


def test_concept_that_vanishes_does_not_lower_the_relative_loss() -> None:
    strong, weak = drawn([0.6, 0.3, 0.1, 0.0]), drawn([0.06, 0.03, 0.01, 0.0])
    assert float(Suppression()(strong, [ONE])) == pytest.approx(float(Suppression()(weak, [ONE])))
    attenuation = Suppression(relative=False)
    assert float(attenuation(strong, [ONE])) == pytest.approx(0.1 / 4)
    assert float(attenuation(weak, [ONE])) == pytest.approx(0.01 / 4)


def test_a_step_down_attenuates_outside_and_never_inside() -> None:
    for relative in (True, False):
        maps = drawn([0.6, 0.3, 0.1, 0.05])
        maps.tokens.requires_grad_()
        (gradient,) = torch.autograd.grad(Suppression(relative=relative)(maps, [ONE]).sum(), maps.tokens)
        inside, outside = gradient[0, 1, 0, :2], gradient[0, 1, 0, 2:]
        assert (outside > 0).all()
        assert (inside < 0).all() if relative else (inside == 0).all()


def test_no_gradient_flows_through_the_area() -> None:
    """The gradient is that of the share with the area held constant."""
    maps = drawn([0.6, 0.3, 0.1, 0.05], [0.1, 0.2, 0.5, 0.3])
    maps.tokens.requires_grad_()
    (gradient,) = torch.autograd.grad(Suppression()(maps, [TWO]).sum(), maps.tokens)
    cells = maps.tokens[0, 1, 0]
    (expected,) = torch.autograd.grad(cells[2:].sum() / cells.sum() / 2, maps.tokens)
    torch.testing.assert_close(gradient[0, 1], expected[0, 1])


@pytest.mark.parametrize("kind", [Suppression, Evenness])
def test_area_is_part_of_what_a_loss_is(kind: type[Suppression | Evenness]) -> None:
    loss = kind(area=OwnArea(threshold="otsu", contest="absolute", sigma=0.5))
    assert eval(repr(loss), vars(losses)) == loss
    assert len({loss, kind(), kind(area=OwnArea())}) == 2


def test_prompts_of_a_batch_may_have_different_numbers_of_concepts() -> None:
    maps = drawn([0.6, 0.3, 0.1, 0.0], [0.0, 0.0, 0.0, 0.2], [0.0, 0.0, 0.0, 0.0])
    batch = Maps(maps.tokens.repeat(4, 1, 1, 1))
    assert Suppression()(batch, [THREE, TWO, ONE, NONE]).tolist() == pytest.approx([0.1 / 3, 0.05, 0.1, 0])
    assert Suppression()(maps, [NONE]).tolist() == [0]
    assert "Suppression needs a concept" in Suppression().idle_for(NONE)[0]


@pytest.mark.parametrize("threshold", ["peak", "mean", "otsu", "quantile"])
@pytest.mark.parametrize("cells", [torch.zeros(3, 3), torch.full((3, 3), 0.2), torch.eye(9)[4].view(3, 3)])
def test_empty_constant_and_one_hot_maps_give_finite_losses_and_gradients(threshold: str, cells: Tensor) -> None:
    maps = Maps(cells.expand(1, 5, 3, 3).clone().requires_grad_())
    loss = Suppression(area=OwnArea(threshold=threshold))(maps, [THREE])  # type: ignore[arg-type]
    loss.sum().backward()
    assert maps.tokens.grad is not None
    assert loss.isfinite().all()
    assert maps.tokens.grad.isfinite().all()
