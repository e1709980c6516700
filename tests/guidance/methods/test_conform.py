import math

import pytest
import torch

from heedful.attention import Maps
from heedful.guidance.methods import ConformLoss
from heedful.losses import TextShares
from heedful.prompts import Concept, Modifier, Prompt

WORDS = ("<s>", "red", "cat", "big", "dog", "frog", "</s>")
RED_CAT = Concept("red cat", "cat", (2,), (Modifier("red", (1,)),))
BIG_DOG = Concept("big dog", "dog", (4,), (Modifier("big", (3,)),))
CAT, DOG = Concept("cat", "cat", (2,)), Concept("dog", "dog", (4,))
PHRASES, BARE = Prompt("red cat big dog", WORDS, (RED_CAT, BIG_DOG)), Prompt("cat dog", WORDS, (CAT, DOG))
ONE = Prompt("red cat", WORDS, (RED_CAT,))
LOSS = ConformLoss(shares=TextShares(scale=None, sigma=None))

LEFT, RIGHT = [[1.0, 0.0]], [[0.0, 1.0]]


def drawn(**tokens: list[list[float]]) -> Maps:
    """Maps of the words by name; the others are zero."""
    maps = torch.zeros(1, len(WORDS) + 1, 1, 2)
    for word, cells in tokens.items():
        maps[0, WORDS.index(word)] = torch.tensor(cells)
    return Maps(maps)


def noise(seed: int, items: int = 1) -> Maps:
    generator = torch.Generator().manual_seed(seed)
    return Maps(torch.randn(items, 8, 3, 4, generator=generator, dtype=torch.float64).softmax(1))


IDEAL = drawn(red=LEFT, cat=LEFT, big=RIGHT, dog=RIGHT)


def by_pairs(samples: list[tuple[int, torch.Tensor]], temperature: float) -> float:
    """The docstring's formula, pair by pair; a sample is the concept that owns it, and its map."""

    def likeness(one: torch.Tensor, other: torch.Tensor) -> float:
        return float((one * other).sum() / (one.norm() * other.norm())) / temperature

    values: list[float] = []
    for i, (owner, one) in enumerate(samples):
        others = sum(math.exp(likeness(one, far)) for its, far in samples if its != owner)
        for j, (its, near) in enumerate(samples):
            if i != j and its == owner:
                attraction = math.exp(likeness(one, near))
                values.append(-math.log(attraction / (attraction + others)))
    return sum(values) / len(values)


@pytest.mark.parametrize("temperature", [0.5, 0.07])
@pytest.mark.parametrize("has_memory", [True, False])
def test_value_is_the_mean_over_ordered_pairs(temperature: float, has_memory: bool) -> None:
    """Phrases of two, three and one tokens, so that pairs outweigh concepts."""
    frog = Concept("frog", "frog", (5,))
    dog = Concept("big dog", "dog", (4, 6), (Modifier("big", (3,)),))
    prompt = Prompt("text", WORDS, (RED_CAT, dog, frog))
    owners = {1: 0, 2: 0, 3: 1, 4: 1, 6: 1, 5: 2}
    steps = [noise(0), noise(1)] if has_memory else [noise(0)]
    samples = [(owner, step.tokens[0, index].flatten()) for step in steps for index, owner in owners.items()]
    loss = ConformLoss(temperature=temperature, shares=TextShares(scale=None, sigma=None))
    value = loss(noise(0), [prompt], noise(1) if has_memory else None)
    assert float(value) == pytest.approx(by_pairs(samples, temperature), rel=1e-9)


def test_ideal_maps_reach_the_least_value() -> None:
    assert float(LOSS(IDEAL, [PHRASES], IDEAL)) == pytest.approx(math.log(1 + 4 * math.exp(-2)))
    assert float(LOSS(IDEAL, [PHRASES])) == pytest.approx(math.log(1 + 2 * math.exp(-2)))


def test_modifier_at_the_other_concept_costs() -> None:
    swapped = drawn(red=RIGHT, cat=LEFT, big=LEFT, dog=RIGHT)
    assert float(LOSS(swapped, [PHRASES])) > float(LOSS(IDEAL, [PHRASES]))


def test_concept_that_moved_since_the_step_before_costs() -> None:
    before = drawn(cat=RIGHT, dog=LEFT)
    now = drawn(cat=LEFT, dog=RIGHT)
    assert float(LOSS(now, [BARE], now)) == pytest.approx(math.log(1 + 2 * math.exp(-2)))
    assert float(LOSS(now, [BARE], before)) == pytest.approx(math.log(2 + math.exp(2)))  # unlike itself, like the other


def test_concepts_of_one_token_have_no_pair_at_the_first_step() -> None:
    maps = Maps(noise(0).tokens.requires_grad_())
    loss = LOSS(maps, [BARE])
    assert loss.tolist() == [0]
    (gradient,) = torch.autograd.grad(loss.sum(), maps.tokens)
    assert float(gradient.abs().sum()) == 0
    assert float(LOSS(maps, [BARE], noise(1)).detach()) > 0


def test_memory_gets_no_gradient_and_is_not_changed_by_any_number_of_calls() -> None:
    now, before = noise(0), Maps(noise(1).tokens.requires_grad_())
    copy = before.tokens.detach().clone()
    now.tokens.requires_grad_()
    values = [ConformLoss()(now, [PHRASES], before) for _ in range(25)]
    values[-1].sum().backward()
    assert before.tokens.grad is None
    assert now.tokens.grad is not None
    assert before.tokens.equal(copy)
    assert values[0].equal(values[-1])


def test_one_concept_is_refused_by_name_and_adds_nothing() -> None:
    maps = Maps(noise(0, items=3).tokens.requires_grad_())
    loss = ConformLoss()(maps, [ONE, PHRASES, Prompt("text", WORDS, ())], noise(1, items=3))
    assert loss[[0, 2]].tolist() == [0, 0]
    (gradient,) = torch.autograd.grad(loss.sum(), maps.tokens)
    assert [bool(one.abs().sum() > 0) for one in gradient] == [False, True, False]
    assert ConformLoss().idle_for(ONE) == (
        "ConformLoss needs two concepts, and 'red cat' has 'red cat': it adds nothing.",
    )
    assert ConformLoss().idle_for(PHRASES) == ConformLoss().idle_for(BARE) == ()
    assert ConformLoss()(maps[0], [Prompt("text", WORDS, ())]).tolist() == [0]


def test_scale_of_a_raw_map_does_not_matter_and_that_of_the_renormalisation_does() -> None:
    maps = noise(0)
    weak = Maps(maps.tokens.clone())
    weak.tokens[:, 2] *= 1e-3
    torch.testing.assert_close(LOSS(maps, [PHRASES]), LOSS(weak, [PHRASES]))
    assert float(ConformLoss(shares=TextShares(scale=20.0))(maps, [PHRASES])) != pytest.approx(
        float(ConformLoss()(maps, [PHRASES])), rel=1e-3
    )
    same = ConformLoss(shares=TextShares(reference_tokens=77))(maps, [PHRASES])
    torch.testing.assert_close(same, ConformLoss(shares=TextShares(scale=100.0 * 8 / 77))(maps, [PHRASES]))
