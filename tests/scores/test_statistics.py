"""Intervals that hold: what share of draws they cover, and that they agree with their p-values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from heedful.scores.statistics import (
    SHARE,
    compare,
    estimate,
    interval,
    intervals,
    jackknife_error,
    p_value,
    standard_error,
)

DRAWS = 4000
ANY = (-np.inf, np.inf)


def covered(tables: np.ndarray, truth: float, within: tuple[float, float]) -> float:
    """How often the interval of a table (draw, prompt, seed) holds the truth."""
    means = tables.mean(axis=2)
    errors = means.std(axis=1, ddof=1) / np.sqrt(means.shape[1])
    low, high = intervals(means.mean(axis=1), errors, means.shape[1], within)
    one = estimate(tables[0], within)
    assert (one.low, one.high) == pytest.approx((low[0], high[0]))
    return float(((low <= truth) & (truth <= high)).mean())


@pytest.mark.parametrize("prompts", [3, 4, 8, 16])
def test_intervals_of_normal_means_cover_the_truth(prompts: int) -> None:
    rng = np.random.default_rng(prompts)
    tables = rng.normal(0.3, 1, (DRAWS, prompts, 1)) + rng.normal(0, 1, (DRAWS, prompts, 4))
    assert 0.93 <= covered(tables, 0.3, ANY) <= 0.97


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("prompts", [3, 4, 8, 16])
def test_intervals_of_shares_cover_the_truth(prompts: int, share: float) -> None:
    rng = np.random.default_rng(prompts)
    hardness = rng.beta(4 * share, 4 * (1 - share), (DRAWS, prompts, 1))  # prompts differ in how hard they are
    assert covered(rng.random((DRAWS, prompts, 4)) < hardness, share, SHARE) >= 0.93


@pytest.mark.parametrize("prompts", [3, 4, 8, 16])
def test_intervals_of_paired_differences_cover_the_truth(prompts: int) -> None:
    rng = np.random.default_rng(prompts)
    hardness = rng.beta(2, 3, (DRAWS, prompts, 1))
    before = rng.random((DRAWS, prompts, 4)) < hardness
    helped = np.where(before, rng.random(before.shape) < 0.9, rng.random(before.shape) < 0.25)
    same = np.where(before, rng.random(before.shape) < 0.85, rng.random(before.shape) < 0.1)
    truth = -0.1 * 0.4 + 0.25 * 0.6
    assert covered(helped.astype(float) - before, truth, (-1, 1)) >= 0.93
    # -0.15 x 0.4 + 0.1 x 0.6 = 0: a method that changes images and helps none
    assert covered(same.astype(float) - before, 0, (-1, 1)) >= 0.93


@settings(max_examples=200)
@given(
    st.integers(2, 40),
    st.floats(0, 1),
    st.floats(0, 0.5),
    st.sampled_from([SHARE, (-1.0, 1.0), (-2.0, 3.0), ANY, (0.0, np.inf)]),
    st.floats(0, 1),
)
def test_an_interval_holds_what_its_test_does_not_reject(
    clusters: int, value: float, error: float, within: tuple[float, float], null: float
) -> None:
    # a mean of values in a range cannot have a larger standard error
    low, high = within
    if np.isfinite(high - low):
        error = min(error, np.sqrt((value - low) * (high - value) / (clusters - 1)))
    ends = interval(value, error, clusters, within)
    assert low <= ends[0] <= value <= ends[1] <= high
    p = p_value(value, error, clusters, within, null)
    if abs(null - ends[0]) > 1e-6 and abs(null - ends[1]) > 1e-6 and error > 1e-6:
        assert (ends[0] < null < ends[1]) == (p > 0.05)


def test_without_a_range_it_is_the_t_test() -> None:
    values = np.random.default_rng(0).normal(0.4, 1, 7)
    wanted = stats.ttest_1samp(values, 0)
    error = standard_error(values)
    assert p_value(values.mean(), error, 7, ANY) == pytest.approx(wanted.pvalue)
    assert interval(values.mean(), error, 7, ANY) == pytest.approx(tuple(wanted.confidence_interval()))


def test_with_many_independent_images_it_is_wilsons_interval() -> None:
    values = np.random.default_rng(0).random((5000, 1)) < 0.02
    wanted = stats.binomtest(int(values.sum()), 5000).proportion_ci(method="wilson")
    found = estimate(values)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=2e-5)


def test_prompts_that_all_agree_are_not_a_certainty() -> None:
    found = estimate(np.ones((4, 8)))
    assert found.value == found.high == 1 and found.low == pytest.approx(0.283, abs=1e-3)
    assert compare(np.zeros((4, 8)), np.ones((4, 8))).p_value > 0.05
    nothing = compare(np.ones((4, 8)), np.ones((4, 8)))
    assert nothing.p_value == 1 and nothing.difference.low < 0 < nothing.difference.high


def test_the_interval_is_wider_when_images_of_a_prompt_agree() -> None:
    rng = np.random.default_rng(0)
    by_prompt = np.repeat(rng.random((60, 1)) < 0.5, 8, axis=1)
    by_image = rng.random((60, 8)) < 0.5
    clustered, independent = estimate(by_prompt), estimate(by_image)
    assert clustered.high - clustered.low > 2 * (independent.high - independent.low)


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(0).random(9)
    left_out = (values.sum() - values) / 8
    assert jackknife_error(left_out) == pytest.approx(standard_error(values))


def test_no_difference_has_a_large_p_value_and_a_clear_one_a_small() -> None:
    rng = np.random.default_rng(2)
    plain = rng.random((60, 8)) < 0.4
    better = plain | (rng.random((60, 8)) < 0.3)
    assert compare(plain, plain).p_value == 1
    result = compare(plain, better)
    assert result.p_value < 0.001
    assert (result.lost, result.gained) == (0, int((better & ~plain).sum()))


def test_one_prompt_says_that_it_gives_no_interval() -> None:
    found = estimate(np.array([[0.0, 1.0]]))
    assert (found.low, found.high, found.has_interval) == (0, 1, False)
    assert str(found) == "0.500 (one prompt: no interval)"
    assert compare(np.zeros((1, 4)), np.ones((1, 4))).p_value == 1


def test_tables_of_different_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="same prompts and seeds"):
        compare(np.zeros((2, 3)), np.zeros((3, 2)))


def test_values_outside_their_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"from 0 to 1, got -0\.5 to 0\.5"):
        estimate(np.array([[-0.5, 0.5]]))
