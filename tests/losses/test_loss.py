"""How losses add up. What all share is in tests/properties, what each computes in its own file and tests/parity."""

import pytest
import torch
from torch import Tensor

from heedful import losses
from heedful.attention import Maps
from heedful.guidance import methods
from heedful.guidance.methods import AttendAndExciteLoss, Retention, Segregation, WrongTokens
from heedful.losses import Loss, Preparation, TextShares, Total, Weighted, citations_of
from heedful.prompts import Prompt
from heedful.references import cite
from heedful.world.tokenizer import build_tokenizer

PROMPT = Prompt.parse("a cat and a blue clock", build_tokenizer())
ONE = Prompt.parse("a cat", build_tokenizer())
MAPS = Maps(torch.randn(1, 16, 5, 4, generator=torch.Generator().manual_seed(2)).softmax(1))


def cells(maps: Maps, prompts: object, previous: object) -> Tensor:
    """A loss that is a plain function."""
    return maps.tokens.square().sum((1, 2, 3))


def test_sum_and_weight_are_what_they_say() -> None:
    total = 2 * AttendAndExciteLoss() + Segregation() * 0.5 + cells
    expected = 2 * AttendAndExciteLoss()(MAPS, [PROMPT]) + 0.5 * Segregation()(MAPS, [PROMPT]) + cells(MAPS, None, None)
    torch.testing.assert_close(total(MAPS, [PROMPT]), expected)
    torch.testing.assert_close((cells + Segregation())(MAPS, [PROMPT]), (Segregation() + cells)(MAPS, [PROMPT]))


def test_sums_stay_flat() -> None:
    first, second, third = AttendAndExciteLoss(), Segregation(), Retention()
    assert (first + second) + third == first + (second + third) == Total((first, second, third))


@pytest.mark.parametrize(
    "loss",
    [
        AttendAndExciteLoss(shares=TextShares(columns="text", sigma=None)),
        Segregation(ratio="true", prepare=Preparation(normalisation="min-max")),
        Retention(threshold="quantile", quantile=0.9),
        0.5 * Segregation() + Retention(),
        WrongTokens(Segregation()),
    ],
    ids=repr,
)
def test_repr_round_trips(loss: Loss) -> None:
    assert eval(repr(loss), vars(losses) | vars(methods)) == loss


def test_losses_are_values() -> None:
    assert Segregation() == Segregation()
    assert len({Segregation(), Segregation(), Segregation(ratio="true")}) == 2
    with pytest.raises(AttributeError):
        Segregation().ratio = "true"  # type: ignore[misc]


def test_citations_are_collected_once() -> None:
    total = AttendAndExciteLoss() + 0.5 * Segregation() + Retention() + cells
    assert citations_of(total) == ("chefer2023attend", "agarwal2023astar")
    assert citations_of(WrongTokens(Segregation())) == ("agarwal2023astar",)
    assert citations_of(cells) == ()
    assert "Attend-and-Excite" in cite(total)


def test_terms_say_where_they_are_idle() -> None:
    total = Weighted(2.0, Segregation()) + AttendAndExciteLoss() + cells
    assert total.idle_for(PROMPT) == ()
    assert [reason.split()[0] for reason in total.idle_for(ONE)] == ["Segregation"]
    nothing = Prompt(ONE.text, ONE.tokens, ())
    assert [reason.split()[0] for reason in total.idle_for(nothing)] == ["Segregation", "AttendAndExciteLoss"]
