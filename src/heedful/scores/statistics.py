"""Intervals and paired tests for means over prompts x seeds, right from three prompts on.

Images of one prompt resemble each other, so prompts, not images, count as independent observations. Intervals are
Wilson's (1927), with the variance that the prompts show instead of a coin's, and Student's t instead of the normal
distribution. They stay inside the range of their value, and the p-values come from the same test that they invert.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

LEVEL = 0.95
Range = tuple[float, float]
"""The smallest and the largest possible value; infinite where there is none."""
SHARE: Range = (0.0, 1.0)


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval; `count` is the number of images behind it."""

    value: float
    low: float
    high: float
    count: int
    prompts: int | None = None
    """The number of prompts behind it, where they are what counts as independent."""

    @property
    def has_interval(self) -> bool:
        """Whether `low` and `high` say anything: one prompt does not show how much prompts differ."""
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
    """A paired difference of means with its 95 % interval, images gained and lost, and a two-sided p-value.

    The p-value is below 0.05 exactly where the interval does not hold 0.
    """

    difference: Estimate
    gained: int
    lost: int
    p_value: float


def estimate(values: np.ndarray, within: Range = SHARE) -> Estimate:
    """Return the mean of `values` (prompt, seed) with its 95 % interval.

    `within` is the range of the values. Raises `ValueError` for a value outside it.
    """
    means = _table(values, within).mean(axis=1)
    value, error = float(means.mean()), standard_error(means)
    return Estimate(value, *interval(value, error, len(means), within), np.size(values), len(means))


def compare(baseline: np.ndarray, treated: np.ndarray, within: Range = SHARE) -> Comparison:
    """Compare two methods on the same prompts and seeds: both (prompt, seed), with values in the range `within`."""
    before, after = _table(baseline, within), _table(treated, within)
    if before.shape != after.shape:
        raise ValueError(f"Expected the same prompts and seeds for both, got {before.shape} and {after.shape}.")
    change = after - before
    reach = (within[0] - within[1], within[1] - within[0])
    difference = estimate(change, reach)
    error = standard_error(change.mean(axis=1))
    return Comparison(
        difference,
        int((change > 0).sum()),
        int((change < 0).sum()),
        p_value(difference.value, error, len(change), reach),
    )


def interval(value: float, error: float, clusters: int, within: Range = SHARE) -> Range:
    """Return the 95 % interval of a value with this standard error, which rests on so many independent clusters.

    The interval holds every value that `p_value` does not reject. One cluster gives the whole range, or, where that is
    infinite, the value itself on both sides.
    """
    low, high = intervals(np.array([value]), np.array([error]), clusters, within)
    return float(low[0]), float(high[0])


def intervals(
    values: np.ndarray, errors: np.ndarray, clusters: int, within: Range = SHARE
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and the upper ends of many intervals at once; see `interval`."""
    low, high = within
    is_bounded = np.isfinite(high - low)
    if clusters < 2:
        return (np.full_like(values, low), np.full_like(values, high)) if is_bounded else (values, values)
    t = stdtrit(clusters - 1, (1 + LEVEL) / 2)
    if not is_bounded:
        return np.maximum(low, values - t * errors), np.minimum(high, values + t * errors)
    shares = (values - low) / (high - low)
    a = t * t * _spread(shares, errors / (high - low), clusters)
    middle = (shares + a / 2) / (1 + a)
    reach = np.sqrt(a * shares * (1 - shares) + a * a / 4) / (1 + a)
    ends = (low + (high - low) * (middle + side * reach) for side in (-1, 1))
    lower, upper = (np.clip(end, low, high) for end in ends)
    return np.minimum(lower, values), np.maximum(upper, values)  # rounding may leave a value outside


def p_value(value: float, error: float, clusters: int, within: Range, null: float = 0.0) -> float:
    """Return the two-sided p-value of a value with this standard error, if the true one were `null`."""
    if clusters < 2 or value == null:
        return 1.0
    low, high = within
    if np.isfinite(high - low):
        value, null, error = (value - low) / (high - low), (null - low) / (high - low), error / (high - low)
        error = float(np.sqrt(_spread(np.array([value]), np.array([error]), clusters)[0] * null * (1 - null)))
    return float(2 * stdtr(clusters - 1, -abs(value - null) / error)) if error > 0 else 0.0


def standard_error(means: np.ndarray) -> float:
    """Return the standard error of the mean of one number per cluster; 0 for one cluster."""
    return float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else 0.0


def jackknife_error(without_one: np.ndarray) -> float:
    """Return the standard error of any figure from its values without each cluster in turn (Tukey 1958)."""
    return float(np.sqrt((len(without_one) - 1) * without_one.var()))


def _spread(shares: np.ndarray, errors: np.ndarray, clusters: int) -> np.ndarray:
    """Return the variance of each share as a part of share x (1 - share), which is the most that it can be.

    Clusters that all say the same do not show how much they differ: they then count as one observation each.
    """
    most = shares * (1 - shares)
    is_known = (errors > 1e-12) & (most > 0)
    return np.where(is_known, errors**2 / np.where(is_known, most, 1), 1 / clusters)


def _table(values: np.ndarray, within: Range) -> np.ndarray:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"Expected a table (prompt, seed) with at least one cell, got shape {table.shape}.")
    if not (within[0] <= table.min() and table.max() <= within[1]):
        raise ValueError(
            f"Expected values from {within[0]:g} to {within[1]:g}, got {table.min():g} to {table.max():g}. "
            "Pass the range of the values: within=(low, high)."
        )
    return table
