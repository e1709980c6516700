"""What every loss promises, for the list of all losses: a new one joins the list and is covered."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heedful import losses
from heedful.attention import Maps
from heedful.guidance import methods
from heedful.guidance.methods import (
    AttendAndExciteLoss,
    ConformLoss,
    DivideAndBindLoss,
    EbamaLoss,
    Elsewhere,
    FocusLoss,
    Retention,
    Segregation,
    Separability,
    SynGenLoss,
    WrongTokens,
)
from heedful.losses import Evenness, Exclusivity, Loss, OwnArea, Preparation, Suppression, TextShares
from heedful.prompts import Concept, Modifier, Prompt
from heedful.teaching import methods as teaching_methods
from heedful.teaching.methods import Bind, SeparateAndStrengthen

TOKENS = 12
LOSSES: list[Loss] = [
    AttendAndExciteLoss(),
    AttendAndExciteLoss(shares=TextShares(sigma=None, columns="text", scale=20.0)),
    AttendAndExciteLoss(shares=TextShares(scale=20.0, convention="true")),
    Segregation(),
    Segregation(ratio="true"),
    Segregation(prepare=Preparation(normalisation="max", sigma=0.5)),
    Segregation(prepare=Preparation(normalisation="min-max")),
    Segregation(prepare=Preparation(normalisation="sum")),
    Segregation(prepare=Preparation(normalisation="softmax100")),
    Retention(),
    Retention(threshold="otsu"),
    Retention(threshold="quantile", ratio="true"),
    Retention(prepare=Preparation(normalisation="none", sigma=1.0)),
    SynGenLoss(),
    EbamaLoss(),
    EbamaLoss(distance="kl", shares=TextShares(scale=20.0, sigma=None)),
    DivideAndBindLoss(),
    DivideAndBindLoss(bind=0.0, differences="reference", shares=TextShares(reference_tokens=77)),
    DivideAndBindLoss(attend=0.0, shares=TextShares(scale=20.0, sigma=None)),
    ConformLoss(),
    ConformLoss(temperature=0.07, shares=TextShares(scale=None, sigma=None)),
    FocusLoss(),
    FocusLoss(power=1.0, sigma=None),
    Bind(),
    Bind(ratio="true", normalisation="none", sigma=None),
    SeparateAndStrengthen(),
    SeparateAndStrengthen(ratio="true", reduction="sum", suppressions=2),
    Separability(),
    Separability(sharpness=1.0),
    Elsewhere(),
    Elsewhere(reach=0.2),
    Suppression(),
    Suppression(area=OwnArea(threshold="otsu", contest="absolute", sigma=0.5), relative=False),
    Exclusivity(),
    Exclusivity(impurity="entropy"),
    Evenness(),
    Evenness(measure="cv", area=OwnArea(threshold="mean")),
    Evenness(measure="gini", area=OwnArea(threshold="quantile", contest="none")),
    WrongTokens(Segregation()),
    2.0 * AttendAndExciteLoss() + Segregation() + 0.5 * Retention(),
]
ALL = pytest.mark.parametrize("loss", LOSSES, ids=repr)
# They push words apart, without a bound or to one below zero; or ask for as much variation as there can be.
MAY_BE_NEGATIVE = (SynGenLoss, EbamaLoss, DivideAndBindLoss)
NOT_NEGATIVE = pytest.mark.parametrize("loss", [it for it in LOSSES if not isinstance(it, MAY_BE_NEGATIVE)], ids=repr)
HOLDS_SOME_CONSTANT = (Bind,)  # the value follows the class map, the gradient does not: see tests/losses
DIFFERENTIABLE = pytest.mark.parametrize(
    "loss", [it for it in LOSSES if not isinstance(it, HOLDS_SOME_CONSTANT)], ids=repr
)


def drawn_maps(seed: int, batch: int, height: int, width: int) -> Maps:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(batch, TOKENS, height, width, generator=generator, dtype=torch.float64)
    return Maps((1.5 * scores).softmax(1))


def prompt_of(concepts: int) -> Prompt:
    """Concepts on tokens 2, 4 and 7; the second has two tokens, the first and the third have a modifier before them."""
    modifiers = {(2,): (Modifier("word1", (1,)),), (7,): (Modifier("word6", (6,)),)}
    indices = [(2,), (4, 5), (7,)][:concepts]
    tokens = ("<s>", *(f"word{index}" for index in range(1, 10)), "</s>")
    return Prompt("text", tokens, tuple(Concept(str(i), str(i), i, modifiers.get(i, ())) for i in indices))


sizes = st.tuples(st.integers(2, 5), st.integers(2, 5))
batches = st.lists(st.integers(1, 3), min_size=1, max_size=3)
seeds = st.integers(0, 10_000)


@ALL
def test_repr_can_be_evaluated(loss: Loss) -> None:
    names = {name: getattr(room, name) for room in (losses, methods, teaching_methods) for name in room.__all__}
    assert eval(repr(loss), names) == loss


@ALL
@given(seed=seeds, size=sizes, counts=batches)
def test_values_are_finite_and_one_per_item(loss: Loss, seed: int, size: tuple[int, int], counts: list[int]) -> None:
    values = loss(
        drawn_maps(seed, len(counts), *size), [prompt_of(n) for n in counts], drawn_maps(seed + 1, len(counts), *size)
    )
    assert values.shape == (len(counts),)
    assert values.isfinite().all()


@NOT_NEGATIVE
@given(seed=seeds, size=sizes, counts=batches)
def test_values_are_not_negative(loss: Loss, seed: int, size: tuple[int, int], counts: list[int]) -> None:
    maps, previous = drawn_maps(seed, len(counts), *size), drawn_maps(seed + 1, len(counts), *size)
    assert (loss(maps, [prompt_of(n) for n in counts], previous) >= 0).all()


@ALL
@pytest.mark.parametrize("cells", [torch.zeros(3, 3), torch.full((3, 3), 1 / TOKENS), torch.eye(9)[4].view(3, 3)])
def test_empty_constant_and_one_hot_maps_give_finite_values_and_gradients(loss: Loss, cells: torch.Tensor) -> None:
    maps = Maps(cells.expand(2, TOKENS, 3, 3).clone().requires_grad_())
    values = loss(maps, [prompt_of(3), prompt_of(1)], maps)
    assert values.isfinite().all()
    if values.requires_grad:
        (gradient,) = torch.autograd.grad(values.sum(), maps.tokens)
        assert gradient.isfinite().all()


@ALL
@given(seed=seeds, size=sizes, counts=batches)
def test_items_do_not_depend_on_their_neighbours(
    loss: Loss, seed: int, size: tuple[int, int], counts: list[int]
) -> None:
    maps, previous = drawn_maps(seed, len(counts), *size), drawn_maps(seed + 1, len(counts), *size)
    prompts = [prompt_of(n) for n in counts]
    together = loss(maps, prompts, previous)
    alone = [loss(maps[i], [prompts[i]], previous[i]) for i in range(len(counts))]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-12, atol=1e-14)


@ALL
@given(seed=seeds, order=st.permutations(range(3)))
def test_order_of_concepts_does_not_matter(loss: Loss, seed: int, order: list[int]) -> None:
    prompt = prompt_of(3)
    shuffled = replace(prompt, concepts=tuple(prompt.concepts[i] for i in order))
    maps, previous = drawn_maps(seed, 1, 4, 3), drawn_maps(seed + 1, 1, 4, 3)
    torch.testing.assert_close(loss(maps, [prompt], previous), loss(maps, [shuffled], previous))


@DIFFERENTIABLE
def test_gradients_equal_finite_differences(loss: Loss) -> None:
    prompts = [prompt_of(3), prompt_of(2)]
    previous = drawn_maps(9, 2, 3, 2)
    tokens = drawn_maps(8, 2, 3, 2).tokens.requires_grad_()
    assert torch.autograd.gradcheck(lambda given: loss(Maps(given), prompts, previous), tokens, eps=1e-7, atol=1e-5)


@ALL
def test_a_small_step_against_the_gradient_lowers_the_loss(loss: Loss) -> None:
    prompts, previous = [prompt_of(2)], drawn_maps(6, 1, 4, 4)
    tokens = drawn_maps(5, 1, 4, 4).tokens.requires_grad_()
    before = loss(Maps(tokens), prompts, previous)
    (gradient,) = torch.autograd.grad(before.sum(), tokens)
    after = loss(Maps(tokens.detach() - 1e-5 * gradient / gradient.norm()), prompts, previous)
    assert float(after) < float(before.detach())


@ALL
def test_no_gradient_flows_into_memory(loss: Loss) -> None:
    previous = Maps(drawn_maps(2, 1, 3, 3).tokens.requires_grad_())
    tokens = drawn_maps(1, 1, 3, 3).tokens.requires_grad_()
    loss(Maps(tokens), [prompt_of(2)], previous).sum().backward()
    assert previous.tokens.grad is None


@ALL
def test_maps_are_not_changed(loss: Loss) -> None:
    maps, previous = drawn_maps(3, 1, 3, 3), drawn_maps(4, 1, 3, 3)
    copies = maps.tokens.clone(), previous.tokens.clone()
    loss(maps, [prompt_of(3)], previous)
    assert maps.tokens.equal(copies[0])
    assert previous.tokens.equal(copies[1])


@ALL
def test_float32_agrees_with_float64(loss: Loss) -> None:
    maps, previous = drawn_maps(11, 2, 4, 4), drawn_maps(12, 2, 4, 4)
    prompts = [prompt_of(2), prompt_of(3)]
    single = loss(Maps(maps.tokens.float()), prompts, Maps(previous.tokens.float()))
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), loss(maps, prompts, previous), rtol=2e-5, atol=1e-6)


def halves(left: list[int], right: list[int]) -> tuple[Maps, list[Prompt]]:
    """Two concepts, tokens 2 and 7, and maps on which some tokens share the left half of the cells, some the right."""
    tokens = torch.zeros(1, TOKENS, 4, 4)
    tokens[0, left, :, :2] = 1 / len(left)
    tokens[0, right, :, 2:] = 1 / len(right)
    prompt = prompt_of(3)
    return Maps(tokens), [replace(prompt, concepts=(prompt.concepts[0], prompt.concepts[2]))]


def test_ideal_maps_are_the_minimum() -> None:
    """Each concept alone in an area of its own, where it was before."""
    ideal, prompts = halves([2], [7])
    assert float(AttendAndExciteLoss(shares=TextShares(sigma=None))(ideal, prompts)) < 1e-6
    assert float(Segregation()(ideal, prompts)) == 0
    assert float(Retention(ratio="true")(ideal, prompts, ideal)) == pytest.approx(0)
    assert float(Retention()(ideal, prompts, ideal)) == pytest.approx(1.0)  # two concepts at .5, its least value
    assert float(Suppression()(ideal, prompts)) == 0
    assert float(Exclusivity()(ideal, prompts)) == 0
    assert float(Exclusivity(impurity="entropy")(ideal, prompts)) == pytest.approx(0, abs=1e-5)
    assert float(Evenness()(ideal, prompts)) == pytest.approx(0, abs=1e-6)
    assert float(SeparateAndStrengthen(sigma=None, ratio="true")(ideal, prompts)) == 0
    assert float(SeparateAndStrengthen(sigma=None)(ideal, prompts)) == pytest.approx(1 / 17)  # all 16 cells are used


def test_ideal_maps_of_phrases_are_the_minimum() -> None:
    """Each noun where its modifier is, in an area of their own."""
    ideal, prompts = halves([1, 2], [6, 7])
    assert float(SynGenLoss(push=0.0)(ideal, prompts)) == 0
    assert float(EbamaLoss(push=0.0, intensity=0.0)(ideal, prompts)) == pytest.approx(0, abs=1e-6)
    assert float(Bind(sigma=None)(ideal, prompts)) == 0
    assert float(DivideAndBindLoss(attend=0.0, shares=TextShares(sigma=None))(ideal, prompts)) == pytest.approx(
        0, abs=1e-7
    )
    assert float(FocusLoss(sigma=None)(ideal, prompts)) == pytest.approx(0, abs=1e-6)
    least = math.log(1 + 4 * math.exp(-2))  # of two concepts of two tokens and their memory, at temperature .5
    assert float(ConformLoss(shares=TextShares(scale=None, sigma=None))(ideal, prompts, ideal)) == pytest.approx(least)
    apart, _ = halves([1, 7], [2, 6])  # modifiers swapped
    for loss in (SynGenLoss(), EbamaLoss(), Bind(), DivideAndBindLoss(bind=10.0), ConformLoss(), FocusLoss()):
        assert float(loss(ideal, prompts)) < float(loss(apart, prompts))
