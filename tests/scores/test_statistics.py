import numpy as np
import pytest

from heedful.scores.statistics import compare, estimate, failure_ratio


def test_the_interval_is_wider_when_images_of_a_prompt_agree() -> None:
    rng = np.random.default_rng(0)
    by_prompt = np.repeat(rng.random((60, 1)) < 0.5, 8, axis=1)
    by_image = rng.random((60, 8)) < 0.5
    clustered, independent = estimate(by_prompt), estimate(by_image)
    assert clustered.high - clustered.low > 2 * (independent.high - independent.low)


def test_the_interval_covers_the_truth_in_about_95_of_100_draws() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for draw in range(100):
        shares = rng.beta(2, 3, (60, 1))
        interval = estimate(rng.random((60, 8)) < shares, seed=draw)
        hits += interval.low <= 0.4 <= interval.high
    assert 88 <= hits <= 100


def test_no_difference_has_a_large_p_value_and_a_clear_one_a_small() -> None:
    rng = np.random.default_rng(2)
    plain = rng.random((60, 8)) < 0.4
    better = plain | (rng.random((60, 8)) < 0.3)
    assert compare(plain, plain).p_value == 1
    result = compare(plain, better)
    assert result.p_value < 0.001
    assert (result.lost, result.gained) == (0, int((better & ~plain).sum()))


def test_tables_of_different_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="same prompts and seeds"):
        compare(np.zeros((2, 3)), np.zeros((3, 2)))


def test_failures_are_compared_as_a_ratio() -> None:
    rng = np.random.default_rng(4)
    plain = rng.random((60, 8)) < 0.6
    better = plain | (rng.random((60, 8)) < 0.5)
    ratio = failure_ratio(plain, better)
    assert ratio.value == pytest.approx((~better).sum() / (~plain).sum())
    assert ratio.low < ratio.value < ratio.high < 1
    assert failure_ratio(plain, plain).value == 1
    assert failure_ratio(np.ones((3, 2)), np.zeros((3, 2))).value == np.inf
