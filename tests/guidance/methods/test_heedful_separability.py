"""Fisher's criterion on maps whose centres and variances are known."""

import pytest
import torch

from heedful.attention import Maps
from heedful.guidance.methods import Segregation, Separability
from heedful.prompts import Concept, Prompt

PROMPT = Prompt(
    "a cat and a dog",
    ("<s>", "a", "cat", "and", "a", "dog", "</s>"),
    (Concept("cat", "cat", (2,)), Concept("dog", "dog", (5,))),
)


def maps_of(cat: torch.Tensor, dog: torch.Tensor) -> Maps:
    tokens = torch.zeros(1, 8, *cat.shape)
    tokens[0, 2], tokens[0, 5] = cat, dog
    return Maps(tokens)


def at(*cells: tuple[int, int], size: int = 8) -> torch.Tensor:
    picture = torch.zeros(size, size)
    for row, column in cells:
        picture[row, column] = 0.1
    return picture


def test_two_points_are_separable_and_one_point_is_not() -> None:
    loss = Separability()
    assert float(loss(maps_of(at((1, 1)), at((6, 6))), [PROMPT])) == pytest.approx(0, abs=1e-6)
    # two cells around a shared centre: all variance is within
    assert float(loss(maps_of(at((3, 2), (3, 4)), at((2, 3), (4, 3))), [PROMPT])) == pytest.approx(1)


def test_value_by_hand() -> None:
    # the cat stands on columns 0 and 2 (variance 1), the dog on column 5 (variance 0): W = 1/2, B = (4/2)^2 = 4
    value = Separability()(maps_of(at((3, 0), (3, 2)), at((3, 5))), [PROMPT])
    assert float(value) == pytest.approx(0.5 / (0.5 + 4))


def test_a_concept_in_two_places_costs_though_nothing_overlaps() -> None:
    once, twice = maps_of(at((1, 1)), at((6, 6))), maps_of(at((1, 1), (1, 6)), at((6, 6)))
    assert float(Segregation()(twice, [PROMPT])) == float(Segregation()(once, [PROMPT])) == 0
    assert float(Separability()(twice, [PROMPT])) > float(Separability()(once, [PROMPT])) + 0.2


def test_neither_strength_nor_grid_counts() -> None:
    generator = torch.Generator().manual_seed(0)
    cat, dog = torch.rand(2, 8, 8, generator=generator, dtype=torch.float64)
    value = Separability()(maps_of(cat, dog), [PROMPT])
    torch.testing.assert_close(Separability()(maps_of(cat, 0.01 * dog), [PROMPT]), value, rtol=1e-6, atol=0)
    finer = [m.repeat_interleave(4, 0).repeat_interleave(4, 1) for m in (cat, dog)]
    torch.testing.assert_close(Separability()(maps_of(*finer), [PROMPT]), value, rtol=0.02, atol=0)


def test_sharpness_ignores_faint_attention() -> None:
    background = 0.01 * torch.ones(8, 8)
    maps = maps_of(at((1, 1)) + background, at((6, 6)) + background)
    assert float(Separability(sharpness=2.0)(maps, [PROMPT])) < 0.6 < float(Separability(sharpness=1.0)(maps, [PROMPT]))


def test_one_concept_has_nothing_to_tell_apart() -> None:
    alone = Prompt(PROMPT.text, PROMPT.tokens, PROMPT.concepts[:1])
    assert float(Separability()(maps_of(at((1, 1)), at((6, 6))), [alone])) == 0
    assert "needs two concepts" in Separability().idle_for(alone)[0]
