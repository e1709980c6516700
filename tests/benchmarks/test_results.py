import numpy as np
import pytest
from results import failure_ratio


def test_failures_are_compared_as_a_ratio() -> None:
    rng = np.random.default_rng(4)
    plain = rng.random((60, 8)) < 0.6
    better = plain | (rng.random((60, 8)) < 0.5)
    ratio = failure_ratio(plain, better)
    assert ratio.value == pytest.approx((~better).sum() / (~plain).sum())
    assert ratio.low < ratio.value < ratio.high < 1
    assert failure_ratio(plain, plain).value == 1
