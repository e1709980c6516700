import json
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from heedful.errors import SettingsError
from heedful.guidance import find_method
from heedful.guidance.methods import TEBOPT
from heedful.guidance.methods.tebopt import BalancedText
from heedful.references import cite
from heedful.steering import Text
from heedful.world.joint import build_transformer

ROOT = math.sqrt(0.5)
START, END, PADDING = [9.0, 9.0], [-3.0, 1.0], [2.0, 5.0]
OWN = torch.tensor([[1.0, 0.0], [1.0, 1.0]])


def text(*between: Sequence[float], nouns: tuple[tuple[int, ...], ...] = ((1,), (3,))) -> Text:
    """A start token, some tokens, an end token and padding, in two channels."""
    states = torch.tensor([START, *between, END, PADDING])
    return Text(states, torch.tensor([7.0]), nouns, end=len(between) + 1)


WORDS = text([1.0, 0.0], [1.0, 1.0], [0.0, 1.0])


class Alone:
    """What the encoder makes of each noun alone, and what it was asked."""

    is_joint = False

    def __init__(self, states: torch.Tensor = OWN):
        self.states = states
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> list[Text]:
        self.asked += texts
        return [Text(state[None], None, ((0,),), end=0) for state in self.states]


def test_terms_are_those_of_the_formula() -> None:
    """K = 2 and m = 4. L_pos: the nouns to p are 1 and sqrt(1/2). L_neg: of (1, 2), (1, 3), (3, 1), (3, 2)."""
    positive, negative = BalancedText().terms(WORDS, OWN)
    assert float(positive) == pytest.approx(ROOT)
    assert float(negative) == pytest.approx((ROOT + 0 + 0 + ROOT) / (2 * 3))


def test_each_token_of_a_noun_counts_and_none_with_its_own_noun() -> None:
    """The noun at 1 and 2: (1, 3) is 0, (2, 3) is sqrt(1/2); the other at 3: (3, 1) is 0, (3, 2) is sqrt(1/2)."""
    positive, negative = BalancedText().terms(replace(WORDS, nouns=((1, 2), (3,))), torch.tensor([[1.0, 0], [0, 1.0]]))
    assert float(positive) == pytest.approx(ROOT)
    assert float(negative) == pytest.approx(2 * ROOT / (2 * 3))


def test_first_step_of_adam_moves_by_the_learning_rate_against_the_gradient() -> None:
    """By hand: only the noun at 3 counts in L_pos. Each number with a gradient moves by 0.01, whatever its size."""
    moved = BalancedText(steps=1).edited(WORDS, ("cat", "dog"), Alone())
    change = moved.states - WORDS.states
    assert change[[0, 4, 5]].abs().max() == 0  # start, end, padding
    assert moved.pooled is WORDS.pooled
    # c_1 = (1, 0): cos to c_2 and c_3 falls as its second channel falls; its first has no gradient there
    assert change[1].tolist() == pytest.approx([0.0, -0.01], abs=1e-6)
    # c_2 = (1, 1) is between both nouns, whose pulls on it cancel
    assert change[2].abs().max() <= 0.01 + 1e-6
    # c_3 = (0, 1): towards p = (1, 1), for d cos / dx is sqrt(1/2) there; away from c_1 and c_2, 1/6 of 1 + sqrt(1/2)
    assert change[3].tolist() == pytest.approx([0.01, 0.0], abs=1e-6)


def test_loss_falls_and_no_more_than_so_many_steps_are_made() -> None:
    generator = torch.Generator().manual_seed(0)
    words = Text(torch.randn(12, 16, generator=generator), None, ((2, 3), (6,), (8,)), end=9)
    own = torch.randn(3, 16, generator=generator)
    losses = []
    for steps in (0, 5, 20, 40):
        edit = BalancedText(steps=steps)
        moved = edit.edited(words, ("cat", "dog", "car"), Alone(own))
        positive, negative = edit.terms(moved, own)
        losses.append(float(negative - positive))
        assert moved.states[[0, 9, 10, 11]].equal(words.states[[0, 9, 10, 11]])
        assert (moved.states - words.states).abs().max() <= 0.02 * steps
        assert not moved.states.requires_grad
    assert losses == sorted(losses, reverse=True) and losses[2] < losses[0] - 0.1


@pytest.mark.parametrize("limits", [{}, {"low_enough": -1.1}, {"own_enough": 1.1}, {"apart_enough": -0.1}])
def test_text_that_is_good_enough_is_left_as_it_is(limits: dict[str, float]) -> None:
    """L_pos = 1, L_neg = 0, so L = -1; all three limits must hold."""
    good = text([3.0, 0.0], [0.0, 2.0], nouns=((1,), (2,)))
    moved = BalancedText(**limits).edited(good, ("cat", "dog"), Alone(torch.eye(2)))
    assert moved.states.equal(good.states) is not bool(limits)


def test_inference_mode_forbids_nothing() -> None:
    with torch.inference_mode():
        words = text([1.0, 0.0], [1.0, 1.0], [0.0, 1.0])
        found = BalancedText().edited(words, ("cat", "dog"), Alone(OWN.clone()))
    assert found.states.tolist() == BalancedText().edited(WORDS, ("cat", "dog"), Alone()).states.tolist()


def test_nouns_are_asked_for_alone_and_the_embedded_models_know_no_photo() -> None:
    read = Alone()
    BalancedText().edited(WORDS, ("cat", "teddy bear"), read)
    assert read.asked == ["a photo of a [cat]", "a photo of a [teddy+bear]"]
    assert find_method("tebopt") is TEBOPT and TEBOPT.loss is None
    assert TEBOPT.settings.text_edit == BalancedText()
    own = BalancedText(alone="a {noun}")
    assert TEBOPT.embedded is not None and TEBOPT.embedded.text_edit == own
    assert TEBOPT.settings_for(build_transformer()).text_edit == own


def test_identity_holds_the_edit_and_it_cites_its_paper() -> None:
    identity = TEBOPT.identity(build_transformer())
    assert identity["settings"]["text_edit"] == {"class": "BalancedText", "alone": "a {noun}"}
    assert json.loads(json.dumps(identity)) == identity
    assert "2410.00321" in cite(TEBOPT) and "2410.00321" in cite(BalancedText())


@pytest.mark.parametrize("wrong", [{"alone": "a cat"}, {"steps": -1}, {"learning_rate": -0.1}])
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="Expected a prompt with"):
        BalancedText(**wrong)  # type: ignore[arg-type]
