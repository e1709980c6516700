"""Intervals and paired tests for shares over prompts x seeds.

Images of one prompt resemble each other, so prompts, not images, are resampled. Knows numbers only.
"""

from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval; `count` is the number of images behind it."""

    value: float
    low: float
    high: float
    count: int
    prompts: int | None = None
    """How many prompts were resampled, where prompts were."""

    @property
    def has_interval(self) -> bool:
        """Whether `low` and `high` say anything: one prompt can be resampled, but always to itself."""
        return self.prompts != 1

    def format(self, spec: str = ".3f") -> str:
        """Return value and interval, each number by `spec`; says so where one prompt gives no interval."""
        if not self.has_interval:
            return f"{self.value:{spec}} (one prompt: no interval)"
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"

    def __str__(self) -> str:
        """Value and interval to three digits."""
        return self.format()


@dataclass(frozen=True)
class Comparison:
    """A paired difference of shares: mean with 95 % interval, images gained and lost, and a two-sided p-value.

    The p-value is of the sign-flip test over prompts (each prompt's mean difference keeps or changes its sign).
    """

    difference: Estimate
    gained: int
    lost: int
    p_value: float


def estimate(values: np.ndarray, seed: int = 0) -> Estimate:
    """Mean of `values` (prompt, seed) with a percentile bootstrap interval over prompts (10 000 resamples).

    Of one prompt there is no interval: both its ends are the mean (`Estimate.has_interval`).
    """
    values = _table(values)
    means = values.mean(axis=1)
    drawn = np.random.default_rng(seed).integers(0, len(means), (RESAMPLES, len(means)))
    low, high = np.percentile(means[drawn].mean(axis=1), (2.5, 97.5))
    return Estimate(float(means.mean()), float(low), float(high), values.size, len(means))


def compare(baseline: np.ndarray, treated: np.ndarray, seed: int = 0) -> Comparison:
    """Compare two methods on the same prompts and seeds: both (prompt, seed), success as 0 or 1."""
    baseline, treated = _table(baseline), _table(treated)
    if baseline.shape != treated.shape:
        raise ValueError(f"Expected the same prompts and seeds for both, got {baseline.shape} and {treated.shape}.")
    change = treated - baseline
    means = change.mean(axis=1)
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), (RESAMPLES, len(means)))
    flipped = np.abs((signs * means).mean(axis=1))
    # + 1: the observed signs are one of the possible ones
    p_value = (1 + int((flipped >= abs(means.mean()) - 1e-12).sum())) / (1 + RESAMPLES)
    return Comparison(estimate(change, seed), int((change > 0).sum()), int((change < 0).sum()), p_value)


def failure_ratio(baseline: np.ndarray, treated: np.ndarray, seed: int = 0) -> Estimate:
    """The failures that `treated` leaves, over those of `baseline`: below 1 if it helps, infinite if there were none.

    Both (prompt, seed), success as 0 or 1, on the same prompts and seeds. Interval as in `estimate`, of the ratio.
    """
    before, after = (1 - _table(values).mean(axis=1) for values in (baseline, treated))
    if not before.any():
        ratio = float("inf") if after.any() else 1.0
        return Estimate(ratio, ratio, ratio, np.asarray(treated).size, len(before))
    drawn = np.random.default_rng(seed).integers(0, len(before), (RESAMPLES, len(before)))
    failed = before[drawn].mean(axis=1)
    # a resample without a failure has no ratio
    ratios = after[drawn].mean(axis=1)[failed > 0] / failed[failed > 0]
    low, high = np.percentile(ratios, (2.5, 97.5))
    ratio = float(after.mean() / before.mean())
    return Estimate(ratio, float(low), float(high), np.asarray(treated).size, len(before))


def _table(values: np.ndarray) -> np.ndarray:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"Expected a table (prompt, seed) with at least one cell, got shape {table.shape}.")
    return table
