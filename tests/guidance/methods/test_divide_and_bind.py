import math

import pytest
import torch
from torch import Tensor

from heedful.attention import Maps
from heedful.guidance.methods import DivideAndBindLoss
from heedful.guidance.methods.divide_and_bind import total_variation
from heedful.losses import TextShares
from heedful.prompts import Concept, Modifier, Prompt

WORDS = ("<s>", "red", "cat", "and", "big", "dog", "</s>")
RED, BIG = Modifier("red", (1,)), Modifier("big", (4,))
CAT, DOG = Concept("red cat", "cat", (2,), (RED,)), Concept("dog", "dog", (5,))
BOTH = Prompt("red cat and big dog", WORDS, (CAT, DOG))
BARE = Prompt("cat and dog", WORDS, (Concept("cat", "cat", (2,)), DOG))
NOTHING = Prompt("red", WORDS, ())
SHARP = TextShares(sigma=None)
ATTEND, BIND = DivideAndBindLoss(bind=0.0, shares=SHARP), DivideAndBindLoss(attend=0.0, shares=SHARP)


def drawn(seed: int = 0, items: int = 1) -> Maps:
    generator = torch.Generator().manual_seed(seed)
    return Maps(torch.randn(items, 8, 4, 4, generator=generator, dtype=torch.float64).softmax(1) / 10)


def split(**tokens: list[list[float]]) -> Maps:
    """Maps of the words of BOTH by name; what they leave of a cell goes to "and"."""
    maps = torch.zeros(1, 8, 2, 2)
    for word, cells in tokens.items():
        maps[0, WORDS.index(word)] = torch.tensor(cells)
    maps[0, 3] = 1 - maps[0].sum(0)
    return Maps(maps)


def variation(*rows: list[float], differences: str = "true") -> float:
    return float(total_variation(torch.tensor([[rows]]), differences))  # type: ignore[arg-type]


LEFT, CHECKED, NONE = [[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]


def test_total_variation_counts_borders_in_both_directions() -> None:
    assert variation([1.0, 1.0], [1.0, 1.0]) == 0
    assert variation([1.0, 0.0], [1.0, 0.0]) == 1
    assert variation([1.0, 1.0], [0.0, 0.0]) == 1
    assert variation([1.0, 0.0], [0.0, 1.0]) == 2


def test_total_variation_of_the_published_code_compares_rows_with_the_last_one() -> None:
    column = ([0.0], [1.0], [0.0])
    assert variation(*column) == 1
    assert variation(*column, differences="reference") == 0.5  # abs(0 - 1) and abs(0 - 0)
    assert variation([0.0, 1.0, 0.0], differences="reference") == variation([0.0, 1.0, 0.0]) == 1


def test_map_of_one_cell_does_not_vary() -> None:
    assert variation([1.0]) == 0
    assert variation([1.0], differences="reference") == 0


def test_attendance_is_that_of_the_concept_that_varies_least() -> None:
    assert float(ATTEND(split(cat=CHECKED, dog=NONE), [BOTH])) == pytest.approx(0, abs=1e-6)
    maps = split(cat=[[1.0, 0.0], [0.0, 0.0]], dog=[[0.0, 1.0], [0.0, 1.0]])
    assert float(ATTEND(maps, [BOTH])) == pytest.approx(-1, abs=1e-6)  # both vary by 1


def test_several_spots_lower_the_attendance_more_than_one() -> None:
    loss = DivideAndBindLoss(bind=0.0, shares=TextShares(sigma=None))
    one = Prompt("cat", WORDS, (CAT,))
    spot, spots = torch.zeros(1, 8, 6, 6), torch.zeros(1, 8, 6, 6)
    spot[0, 2, 1, 1] = 1
    spots[0, 2, 1::3, 1::3] = 1
    assert float(loss(Maps(spots), [one])) < float(loss(Maps(spot), [one])) < 0


def test_modifier_where_its_noun_is_costs_nothing() -> None:
    maps = drawn()
    maps.tokens[:, 1] = maps.tokens[:, 2]
    assert float(BIND(maps, [BOTH])) == pytest.approx(0, abs=1e-15)
    assert float(BIND(drawn(), [BOTH])) > 0


@pytest.mark.parametrize("scale, is_weak", [(1.0, True), (100.0, False)])
def test_binding_cuts_both_maps_by_the_noun_before_it_compares_them(scale: float, is_weak: bool) -> None:
    """The docstring's formula, cell by cell; q depends on how much the noun's map varies."""
    maps, loss = drawn(), DivideAndBindLoss(attend=0.0, shares=TextShares(sigma=None, scale=scale))
    shares = loss.shares(maps, [BOTH])
    assert (float(total_variation(shares.group([BOTH]).maps)[0, 0]) < 0.1) == is_weak
    noun, modifier = _softmax(shares.tokens[0, 2]), _softmax(shares.tokens[0, 1])
    border = (0.3 if is_weak else 0.2) * max(noun)
    first = [max(0.0, cell - border) + 1e-5 for cell in noun]
    second = [max(0.0, cell - border) + 1e-5 for cell in modifier]
    mean = [(one + other) / 2 for one, other in zip(first, second, strict=True)]
    apart = [sum(p * math.log(p / m) for p, m in zip(side, mean, strict=True)) for side in (first, second)]
    assert float(loss(maps, [BOTH])) == pytest.approx(sum(apart) / 2, rel=1e-9)


def test_weights_and_concepts_meet_in_one_maximum() -> None:
    """Two concepts with a modifier each: the loss is the larger of the two prompts that have one of them alone."""
    dog = Concept("big dog", "dog", (5,), (BIG,))
    loss, maps = DivideAndBindLoss(bind=10.0), drawn()
    alone = [float(loss(maps, [Prompt("text", WORDS, (concept,))])) for concept in (CAT, dog)]
    assert float(loss(maps, [Prompt("text", WORDS, (CAT, dog))])) == max(alone)
    parts = [
        part(maps, [Prompt("text", WORDS, (CAT,))])
        for part in (DivideAndBindLoss(attend=0.0), DivideAndBindLoss(bind=0.0))
    ]
    assert alone[0] == pytest.approx(float(10 * parts[0] + parts[1]), rel=1e-12)


def test_several_modifiers_count_as_their_mean() -> None:
    maps = drawn()
    red, big, both = (
        float(BIND(maps, [Prompt("text", WORDS, (Concept("cat", "cat", (2,), modifiers),))]))
        for modifiers in ((RED,), (BIG,), (RED, BIG))
    )
    assert both == pytest.approx((red + big) / 2, rel=1e-9)


def test_binding_moves_the_noun_and_its_modifier_and_is_never_negative() -> None:
    loss = DivideAndBindLoss(attend=0.0, shares=TextShares(sigma=None, scale=20.0))
    for seed in range(20):
        maps = Maps(drawn(seed).tokens.requires_grad_())
        value = loss(maps, [BOTH])
        assert float(value.detach()) > 0
        (gradient,) = torch.autograd.grad(value.sum(), maps.tokens)
        assert (gradient[0, 1:3].abs().sum((-2, -1)) > 0).all()


def test_batch_holds_prompts_with_and_without_modifiers_and_concepts() -> None:
    maps = Maps(drawn(items=4).tokens.requires_grad_())
    prompts = [BOTH, BARE, NOTHING, Prompt("red cat", WORDS, (CAT,))]
    together = DivideAndBindLoss(bind=10.0)(maps, prompts)
    alone = torch.cat([DivideAndBindLoss(bind=10.0)(maps[i], [prompts[i]]) for i in range(4)])
    torch.testing.assert_close(together, alone)
    (gradient,) = torch.autograd.grad(together.sum(), maps.tokens)
    assert together[2] == 0
    assert [bool(one.abs().sum() > 0) for one in gradient] == [True, True, False, True]


def test_binding_alone_refuses_a_prompt_without_modifiers_by_name_and_adds_nothing() -> None:
    maps = Maps(drawn(items=2).tokens.requires_grad_())
    loss = BIND(maps, [BARE, BOTH])
    (gradient,) = torch.autograd.grad(loss.sum(), maps.tokens)
    assert loss[0] == 0
    assert float(gradient[0].abs().sum()) == 0
    assert float(gradient[1].abs().sum()) > 0
    assert "DivideAndBindLoss(attend=0.0) needs a concept with a modifier" in BIND.idle_for(BARE)[0]
    assert DivideAndBindLoss().idle_for(BARE) == BIND.idle_for(BOTH) == ()
    assert DivideAndBindLoss().idle_for(NOTHING) == ("DivideAndBindLoss needs a concept, and 'red' has none.",)


def _softmax(cells: Tensor) -> list[float]:
    exponentials = [math.exp(cell) for cell in cells.flatten().tolist()]
    return [value / sum(exponentials) for value in exponentials]
