from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor

from heedful.attention import Maps
from heedful.errors import SettingsError
from heedful.guidance.methods import AttendAndExciteLoss, SelfConflict, WrongTokens
from heedful.losses import TextShares, needs_self_attention
from heedful.prompts import Concept, Prompt
from heedful.references import cite

WORDS = ("<s>", "cat", "and", "dog", "frog", "</s>")
THREE = Prompt("cat and dog frog", WORDS, tuple(Concept(WORDS[i], WORDS[i], (i,)) for i in (1, 3, 4)))
TWO = Prompt("cat and dog", WORDS, THREE.concepts[:2])
ONE = Prompt("cat", WORDS, THREE.concepts[:1])
NOTHING = Prompt("and", WORDS, ())
TOKENS = 8
RAW = SelfConflict(shares=TextShares(scale=None, sigma=None))


def drawn(seed: int = 0, batch: int = 1, height: int = 3, width: int = 4, dtype: torch.dtype = torch.float64) -> Maps:
    draw = torch.Generator().manual_seed(seed)
    tokens = torch.randn(batch, TOKENS, height, width, generator=draw, dtype=torch.float64)
    rows = torch.randn(batch, height * width, height * width, generator=draw, dtype=torch.float64)
    rows = (1.5 * rows).softmax(-1).unflatten(-1, (height, width))
    return Maps((1.5 * tokens).softmax(1).to(dtype), rows.to(dtype))


def rows_of(maps: Maps) -> Tensor:
    assert maps.self_attention is not None
    return maps.self_attention


def peaking_at(cells: dict[int, int], rows: Tensor) -> Maps:
    """2x2 maps in which each token peaks in its cell, and cells look at each other by `rows`."""
    tokens = torch.full((1, TOKENS, 2, 2), 0.1)
    for token, cell in cells.items():
        tokens[0, token].view(-1)[cell] = 0.5
    return Maps(tokens, rows.view(1, 4, 2, 2))


def test_cells_that_look_at_disjoint_places_do_not_conflict() -> None:
    rows = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.5, 0.5]])
    assert float(RAW(peaking_at({1: 0, 3: 3}, rows), [TWO])) == 0
    assert float(RAW(peaking_at({1: 0, 3: 1}, rows), [TWO])) == pytest.approx(0.5)
    assert float(RAW(peaking_at({1: 2, 3: 3}, rows), [TWO])) == pytest.approx(0.25)
    assert float(RAW(peaking_at({1: 2, 3: 2}, rows), [TWO])) == pytest.approx(0.5)


def test_pairs_are_averaged() -> None:
    rows = torch.tensor([[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
    assert float(RAW(peaking_at({1: 0, 3: 1, 4: 2}, rows), [THREE])) == pytest.approx(0.5 / 3)


def test_value_is_the_formula_written_in_numpy() -> None:
    """softmax(100 A) without the first and the last token, G of true sigma .707, peak, rows, mean of min / sum."""
    maps = drawn(seed=3, height=4, width=5)
    tokens, rows = maps.tokens[0].numpy(), rows_of(maps)[0].numpy()
    line = np.exp(-(np.array([-1.0, 0.0, 1.0]) ** 2) / (2 * 0.5))
    line = line / line.sum()
    scores = np.exp(100 * tokens[1:-1] - (100 * tokens[1:-1]).max(0))
    shares = scores / scores.sum(0)
    peaks = []
    for index in (1, 3, 4):
        padded = np.pad(shares[index - 1], 1, mode="reflect")
        smooth = sum(
            line[i] * line[j] * padded[i : i + 4, j : j + 5] for i in range(3) for j in range(3)
        )  # -> (height, width)
        peaks.append(rows[np.argmax(smooth)])
    pairs = [np.minimum(a, b).sum() / (a + b).sum() for a, b in combinations(peaks, 2)]
    assert float(SelfConflict()(maps, [THREE])) == pytest.approx(np.mean(pairs), rel=1e-10)


def test_gradient_flows_through_self_attention_alone_and_equals_finite_differences() -> None:
    maps = drawn(seed=1, batch=2)
    tokens = maps.tokens.requires_grad_()
    rows = rows_of(maps).requires_grad_()
    prompts = [THREE, TWO]
    values = SelfConflict()(Maps(tokens, rows), prompts).sum()
    to_tokens, to_rows = torch.autograd.grad(values, (tokens, rows), allow_unused=True)
    assert to_tokens is None
    assert int((to_rows != 0).flatten(2).any(-1).sum()) == 3 + 2  # the rows of the peaks
    assert torch.autograd.gradcheck(lambda given: SelfConflict()(Maps(tokens.detach(), given), prompts), rows, eps=1e-7)
    after = SelfConflict()(Maps(tokens.detach(), rows.detach() - 1e-4 * to_rows / to_rows.norm()), prompts).sum()
    assert float(after) < float(values.detach())


@pytest.mark.parametrize(
    "loss", [SelfConflict(), RAW, SelfConflict(shares=TextShares(reference_tokens=77, columns="text"))], ids=repr
)
def test_values_are_bounded_and_items_independent_of_neighbours_and_precision(loss: SelfConflict) -> None:
    maps, prompts = drawn(seed=2, batch=4), [TWO, ONE, THREE, NOTHING]
    values = loss(maps, prompts)
    assert values.shape == (4,)
    assert ((values >= 0) & (values <= 0.5)).all()
    assert values[[1, 3]].tolist() == [0, 0]
    assert (values[[0, 2]] > 0).all()
    alone = torch.cat([loss(maps[i], [prompts[i]]) for i in range(4)])
    torch.testing.assert_close(values, alone, rtol=1e-12, atol=0)
    single = loss(drawn(seed=2, batch=4, dtype=torch.float32), prompts)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), values, rtol=1e-5, atol=0)


def test_order_of_concepts_does_not_matter() -> None:
    shuffled = Prompt(THREE.text, WORDS, tuple(THREE.concepts[i] for i in (2, 0, 1)))
    torch.testing.assert_close(SelfConflict()(drawn(), [THREE]), SelfConflict()(drawn(), [shuffled]))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_flat_maps_give_finite_values_and_gradients(value: float) -> None:
    rows = torch.zeros(1, 4, 2, 2).requires_grad_()
    loss = SelfConflict()(Maps(torch.full((1, TOKENS, 2, 2), value), rows), [TWO])
    (gradient,) = torch.autograd.grad(loss.sum(), rows)
    assert loss.isfinite().all()
    assert gradient.isfinite().all()


def test_maps_are_not_changed() -> None:
    maps, copy = drawn(), drawn()
    SelfConflict()(maps, [TWO])
    assert maps.tokens.equal(copy.tokens)
    assert rows_of(maps).equal(rows_of(copy))


def test_maps_without_self_attention_are_refused_with_a_remedy() -> None:
    with pytest.raises(SettingsError, match="self_attention=True"):
        SelfConflict()(Maps(drawn().tokens), [TWO])


def test_sums_and_controls_need_what_their_parts_need() -> None:
    assert needs_self_attention(SelfConflict())
    assert needs_self_attention(AttendAndExciteLoss() + 0.5 * SelfConflict())
    assert needs_self_attention(WrongTokens(SelfConflict()))
    assert not needs_self_attention(2.0 * AttendAndExciteLoss() + AttendAndExciteLoss())
    assert not needs_self_attention(lambda maps, prompts, previous: maps.tokens.sum((1, 2, 3)))


def test_it_says_what_it_lacks_and_whom_to_cite() -> None:
    (reason,) = SelfConflict().idle_for(ONE)
    assert "SelfConflict needs two concepts" in reason
    assert SelfConflict().idle_for(TWO) == ()
    assert eval(repr(RAW)) == RAW
    assert "InitNO" in cite(AttendAndExciteLoss() + SelfConflict())
