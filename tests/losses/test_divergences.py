import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from heedful.losses.divergences import jensen_shannon, symmetric_kl

P, Q = torch.tensor([0.75, 0.25]), torch.tensor([0.25, 0.75])
LEFT, MIDDLE, RIGHT = torch.eye(3)


def drawn(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).softmax(-1)


def test_symmetric_kl_by_hand() -> None:
    assert float(symmetric_kl(P, Q)) == pytest.approx(0.5 * math.log(3))
    assert float(symmetric_kl(P, P)) == 0


def test_jensen_shannon_by_hand() -> None:
    entropy = 0.75 * math.log(0.75) + 0.25 * math.log(0.25)
    assert float(jensen_shannon(torch.stack([P, Q]))) == pytest.approx(math.log(2) + entropy)


def test_jensen_shannon_is_the_log_of_the_number_of_disjoint_members() -> None:
    assert float(jensen_shannon(torch.stack([LEFT, RIGHT]))) == pytest.approx(math.log(2))
    assert float(jensen_shannon(torch.stack([LEFT, MIDDLE, RIGHT]))) == pytest.approx(math.log(3))


def test_equal_members_single_members_and_no_members_have_no_divergence() -> None:
    assert float(jensen_shannon(torch.stack([P, P, P]))) == pytest.approx(0, abs=1e-7)
    assert float(jensen_shannon(P[None])) == 0
    assert float(jensen_shannon(torch.stack([P, Q]), torch.zeros(2, dtype=torch.bool))) == 0


def test_members_that_are_not_there_do_not_count() -> None:
    padded = jensen_shannon(torch.stack([P, LEFT[:2], Q]), torch.tensor([True, False, True]))
    torch.testing.assert_close(padded, jensen_shannon(torch.stack([P, Q])))


@given(seed=st.integers(0, 10_000), members=st.integers(1, 4))
def test_jensen_shannon_is_the_entropy_that_mixing_adds(seed: int, members: int) -> None:
    """The other definition: H of the mean less the mean of H."""
    rows = drawn(seed, 3, members, 5)
    added = _entropy(rows.mean(-2)) - _entropy(rows).mean(-1)
    torch.testing.assert_close(jensen_shannon(rows), added, rtol=1e-9, atol=1e-14)


@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100.0))
def test_measures_that_do_not_sum_to_one_have_no_negative_divergence(seed: int, scale: float) -> None:
    rows = drawn(seed, 2, 5)
    first, second = scale * rows[0], rows[1]
    mean = (first + second) / 2
    plain = ((first * (first / mean).log()).sum() + (second * (second / mean).log()).sum()) / 2
    assert float(plain) >= 0  # so that the function clamps nothing but rounding
    torch.testing.assert_close(jensen_shannon(torch.stack([first, second])), plain, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("cells", [torch.zeros(3), torch.eye(3)[1], torch.full((3,), 1 / 3)])
def test_divergences_and_their_gradients_are_finite_where_a_distribution_is_zero(cells: Tensor) -> None:
    first, second = cells.clone().requires_grad_(), LEFT.clone().requires_grad_()
    total = symmetric_kl(first, second) + jensen_shannon(torch.stack([first, second]))
    assert total.isfinite()
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(total, (first, second)))


def test_gradients_equal_finite_differences() -> None:
    rows = drawn(1, 2, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(jensen_shannon, rows)
    assert torch.autograd.gradcheck(lambda given: symmetric_kl(given[0], given[1]), rows)


def _entropy(rows: Tensor) -> Tensor:
    return -(rows * rows.log()).sum(-1)
