"""What every loss promises, for the list of all losses: a new one joins the list and is covered."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heedful.attention import Maps
from heedful.losses import AttendAndExcite, Loss, Retention, Segregation, WrongTokens
from heedful.prompts import Concept, Prompt

TOKENS = 10
LOSSES: list[Loss] = [
    AttendAndExcite(),
    AttendAndExcite(sigma=None, columns="text", scale=20.0),
    AttendAndExcite(scale=20.0, convention="true"),
    Segregation(),
    Segregation(ratio="true"),
    Segregation(normalisation="max", sigma=0.5),
    Segregation(normalisation="min-max"),
    Segregation(normalisation="sum"),
    Segregation(normalisation="softmax100"),
    Retention(),
    Retention(threshold="otsu"),
    Retention(threshold="quantile", ratio="true"),
    Retention(normalisation="none", sigma=1.0),
    WrongTokens(Segregation()),
    2.0 * AttendAndExcite() + Segregation() + 0.5 * Retention(),
]
ALL = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def drawn_maps(seed: int, batch: int, height: int, width: int) -> Maps:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(batch, TOKENS, height, width, generator=generator, dtype=torch.float64)
    return Maps((1.5 * scores).softmax(1))


def prompt_of(concepts: int) -> Prompt:
    """Concepts on tokens 2, 4, 6; the second has two tokens."""
    indices = [(2,), (4, 5), (7,)][:concepts]
    tokens = ("<s>", *(f"word{index}" for index in range(1, 8)), "</s>")
    return Prompt("text", tokens, tuple(Concept(str(i), str(i), i) for i in indices))


sizes = st.tuples(st.integers(2, 5), st.integers(2, 5))
batches = st.lists(st.integers(1, 3), min_size=1, max_size=3)
seeds = st.integers(0, 10_000)


@ALL
@given(seed=seeds, size=sizes, counts=batches)
def test_values_are_finite_not_negative_and_one_per_item(
    loss: Loss, seed: int, size: tuple[int, int], counts: list[int]
) -> None:
    values = loss(
        drawn_maps(seed, len(counts), *size), [prompt_of(n) for n in counts], drawn_maps(seed + 1, len(counts), *size)
    )
    assert values.shape == (len(counts),)
    assert values.isfinite().all()
    assert (values >= 0).all()


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


@ALL
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


def test_ideal_maps_are_the_minimum() -> None:
    """Each concept alone in an area of its own, where it was before."""
    tokens = torch.zeros(1, TOKENS, 4, 4)
    tokens[0, 2, :, :2] = 1
    tokens[0, 7, :, 2:] = 1
    ideal = Maps(tokens)
    prompt = replace(prompt_of(3), concepts=(prompt_of(3).concepts[0], prompt_of(3).concepts[2]))
    assert float(AttendAndExcite(sigma=None)(ideal, [prompt])) < 1e-6
    assert float(Segregation()(ideal, [prompt])) == 0
    assert float(Retention(ratio="true")(ideal, [prompt], ideal)) == pytest.approx(0)
    assert float(Retention()(ideal, [prompt], ideal)) == pytest.approx(1.0)  # two concepts at .5, its least value
