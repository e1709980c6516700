from itertools import product

import numpy as np
import pytest

from heedful.lab.by_prompt import ByPrompt

RNG = np.random.default_rng(7)
PROMPTS = [f"prompt {i // 6}" for i in range(60)]


def brute(values, worse, better, may_pair) -> tuple[float, int]:
    """The AUC by looking at every pair."""
    pairs = [(i, j) for i, j in product(np.flatnonzero(worse), np.flatnonzero(better)) if may_pair(i, j)]
    won = [1.0 if values[i] > values[j] else 0.5 if values[i] == values[j] else 0.0 for i, j in pairs]
    return float(np.mean(won)), len(pairs)


def test_areas_under_the_curve_are_shares_of_won_pairs() -> None:
    values = RNG.integers(0, 6, 60).astype(float)  # with ties
    worse = RNG.random(60) < 0.4
    by_prompt = ByPrompt(PROMPTS)
    every, within = by_prompt.auc(values, worse, ~worse), by_prompt.auc_within(values, worse, ~worse)
    assert every is not None and within is not None
    assert (every.value, every.count) == pytest.approx(brute(values, worse, ~worse, lambda i, j: True))
    same = brute(values, worse, ~worse, lambda i, j: PROMPTS[i] == PROMPTS[j])
    assert (within.value, within.count) == pytest.approx(same)
    assert every.low <= every.value <= every.high
    assert within.low < within.value < within.high


def test_a_difference_between_prompts_alone_is_no_forecast_within_them() -> None:
    prompts = ["easy"] * 10 + ["hard"] * 10
    worse = np.array([False] * 8 + [True] * 2 + [False] * 2 + [True] * 8)
    values = np.array([0.0] * 10 + [1.0] * 10)  # says which prompt it is, and nothing of the image
    by_prompt = ByPrompt(prompts)
    every, within = by_prompt.auc(values, worse, ~worse), by_prompt.auc_within(values, worse, ~worse)
    assert every is not None and every.value == pytest.approx(0.8)
    assert within is not None and within.value == 0.5


def test_two_prompts_that_contradict_each_other_say_nothing() -> None:
    # one prompt is predicted perfectly, one perfectly wrongly
    prompts, worse = ["a", "a", "b", "b"], np.array([True, False, True, False])
    figure = ByPrompt(prompts).auc_within(np.array([1.0, 0.0, 0.0, 1.0]), worse, ~worse)
    assert figure is not None
    assert (figure.value, figure.count) == (0.5, 2)
    assert 0 <= figure.low < 0.01 and 0.99 < figure.high <= 1


def test_an_advantage_is_paired() -> None:
    worse = RNG.random(60) < 0.5
    values = worse + RNG.normal(0, 1.5, 60)
    by_prompt = ByPrompt(PROMPTS)
    same = by_prompt.advantage_within(values, values, worse, ~worse)
    assert same is not None and same.value == 0 and same.low < 0 < same.high
    opposite = by_prompt.advantage_within(values, -values, worse, ~worse)
    within = by_prompt.auc_within(values, worse, ~worse)
    assert opposite is not None and within is not None
    assert opposite.value == pytest.approx(2 * within.value - 1)
    assert opposite.low == pytest.approx(2 * within.low - 1)


def test_figures_without_pairs_or_values_are_none() -> None:
    nobody, everybody = np.zeros(60, dtype=bool), np.ones(60, dtype=bool)
    values = RNG.random(60)
    by_prompt = ByPrompt(PROMPTS)
    assert by_prompt.auc(values, nobody, everybody) is None
    assert by_prompt.auc_within(values, nobody, everybody) is None
    assert by_prompt.mean(values, nobody) is None
    unknown = np.where(np.arange(60) == 3, np.nan, values)
    worse = values > 0.5
    assert by_prompt.auc(unknown, worse, ~worse) is None
    assert by_prompt.auc_within(unknown, worse, ~worse) is None
    assert by_prompt.mean(unknown) is None
    assert by_prompt.correlation(np.ones(60), values) is None


def test_a_mean_counts_every_image_alike_and_is_as_sure_as_its_prompts() -> None:
    figure = ByPrompt(["a", "a", "a", "b"]).mean(np.array([1.0, 1.0, 1.0, 0.0]), within=(0.0, 1.0))
    assert figure is not None
    assert (figure.value, figure.count, figure.prompts) == (0.75, 4, 2)
    assert 0 <= figure.low < 0.05 and 0.95 < figure.high <= 1


def spearman(first, second) -> float:
    """By counting, for each value, the smaller and the equal ones."""
    ranks = [[(other < one).sum() + ((other == one).sum() + 1) / 2 for one in other] for other in (first, second)]
    return float(np.corrcoef(ranks)[0, 1])


def test_rank_correlations_share_the_ranks_of_ties() -> None:
    first, second = RNG.integers(0, 8, 60).astype(float), RNG.random(60)
    second += 0.1 * first
    figure = ByPrompt(PROMPTS).correlation(first, second)
    assert figure is not None and figure.value == pytest.approx(spearman(first, second))
    assert figure.low < figure.value < figure.high
    raised = ByPrompt(PROMPTS).correlation(first, np.exp(second))
    assert raised == figure


def test_a_correlation_that_size_explains_goes_away_when_size_is_controlled_for() -> None:
    size, *noise = np.random.default_rng(1).random((3, 600))
    first, second = size + 0.2 * noise[0], size + 0.2 * noise[1]
    by_prompt = ByPrompt([f"prompt {i // 6}" for i in range(600)])
    plain, controlled = by_prompt.correlation(first, second), by_prompt.correlation(first, second, [size])
    assert plain is not None and plain.value > 0.8
    assert controlled is not None and abs(controlled.value) < 0.15
    assert controlled.low < 0 < controlled.high


def test_within_groups_a_difference_between_groups_does_not_count() -> None:
    groups = [str(i // 6) for i in range(60)]
    base = np.repeat(RNG.normal(0, 10, 10), 6)
    within = np.tile(np.arange(6.0), 10)
    by_prompt = ByPrompt(PROMPTS)
    plain = by_prompt.correlation(base + within, base - within)
    inside = by_prompt.correlation(base + within, base - within, groups=groups)
    assert plain is not None and plain.value > 0.5
    assert inside is not None and inside.value < -0.9
