"""Means, areas under the ROC curve and rank correlations of images, with intervals over prompts.

Images of one prompt resemble each other, and prompts differ in how hard they are. So prompts, not images, count as
independent: each figure is taken again without each prompt in turn (the jackknife), which says how sure it is.
Every question is also asked within prompts, where what differs is the noise alone.
"""

from collections.abc import Sequence

import numpy as np

from heedful.scores import SHARE, Estimate, Range, interval, jackknife_error

ANY: Range = (-np.inf, np.inf)
CORRELATION: Range = (-1.0, 1.0)


class ByPrompt:
    """Figures of images (or objects) whose prompts are known.

    `prompts` names the prompt of each image. A figure is None where it has no value.
    """

    def __init__(self, prompts: Sequence[str]) -> None:
        names, index = np.unique(np.asarray(prompts, dtype=str), return_inverse=True)
        self.index = index
        """The prompt of each image, as a number."""
        self.count = len(names)

    def mean(self, values: np.ndarray, chosen: np.ndarray | None = None, within: Range = ANY) -> Estimate | None:
        """Return the mean of `values` (image,) over the `chosen` images (bool); `within` is the range of the values."""
        chosen = np.ones(len(values), dtype=bool) if chosen is None else chosen
        sums = np.bincount(self.index[chosen], values[chosen], self.count)
        return _ratio(sums, np.bincount(self.index[chosen], minlength=self.count), within)

    def auc(self, values: np.ndarray, worse: np.ndarray, better: np.ndarray) -> Estimate | None:
        """Return how often an image of `worse` (bool) has the larger value than one of `better`; ties count half.

        Over all pairs of images, of whichever prompts. 0.5 is chance, 1 a perfect prediction; `count` counts pairs.
        """
        wins, pairs = self._wins(values, worse, better)
        if pairs.sum() == 0 or np.isnan(values).any():
            return None
        there = pairs.sum(0) + pairs.sum(1) > 0
        won, of = (
            table.sum() - (table.sum(0) + table.sum(1) - table.diagonal())[there] for table in (wins, pairs)
        )  # without the row and the column of one prompt
        return _estimate(wins.sum() / pairs.sum(), won, of, float(pairs.sum()), SHARE)

    def auc_within(self, values: np.ndarray, worse: np.ndarray, better: np.ndarray) -> Estimate | None:
        """Return the same over the pairs of images that have one prompt."""
        wins, pairs = self._wins(values, worse, better)
        return None if np.isnan(values).any() else _ratio(wins.diagonal(), pairs.diagonal(), SHARE)

    def advantage_within(
        self, values: np.ndarray, others: np.ndarray, worse: np.ndarray, better: np.ndarray
    ) -> Estimate | None:
        """Return by how much `auc_within` of `values` exceeds that of `others`, paired."""
        if np.isnan(values).any() or np.isnan(others).any():
            return None
        wins, pairs = self._wins(values, worse, better)
        return _ratio(wins.diagonal() - self._wins(others, worse, better)[0].diagonal(), pairs.diagonal(), CORRELATION)

    def correlation(
        self,
        first: np.ndarray,
        second: np.ndarray,
        controls: Sequence[np.ndarray] = (),
        groups: Sequence[str] | None = None,
    ) -> Estimate | None:
        """Return the rank correlation (Spearman) of two values per object, in [-1, 1]; None if one never changes.

        `controls` are values whose ranks, to the third power, are regressed out of both. With `groups`, only
        differences between objects of one group count. Ranks and regression are taken once, with all prompts.
        """
        members = np.zeros(len(first), dtype=int) if groups is None else np.unique(groups, return_inverse=True)[1]
        sizes = np.bincount(members)

        def within(column: np.ndarray) -> np.ndarray:
            return column - (np.bincount(members, column) / sizes)[members]

        x, y = within(_ranks(first)), within(_ranks(second))
        if controls:
            centred = [_ranks(values) / len(first) - 0.5 for values in controls]
            # powers, because a bent relation to the control would else be left in both
            design = np.stack([within(each**power) for each in centred for power in (1, 2, 3)], axis=1)
            x, y = (each - design @ np.linalg.lstsq(design, each, rcond=None)[0] for each in (x, y))
        scale = len(first) * (len(first) ** 2) / 12  # the sum of squares of as many ranks
        if min(x @ x, y @ y) < 1e-9 * scale:
            return None
        products = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y])
        sums = np.stack([np.bincount(self.index, column, self.count) for column in products])
        value = float(_pearson(sums.sum(1)))
        with np.errstate(all="ignore"):  # without the one prompt in which something changes, there is no correlation
            without_one = _pearson(sums.sum(1, keepdims=True) - sums)
        without_one = without_one[np.isfinite(without_one)]
        error = jackknife_error(without_one) if len(without_one) else 0.0
        return Estimate(value, *interval(value, error, len(without_one), CORRELATION), len(first), len(without_one))

    def _wins(self, values: np.ndarray, worse: np.ndarray, better: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return won pairs and pairs, by the prompts of both images: (prompt of the worse, prompt of the better)."""
        high, low = values[worse][:, None], values[better][None]
        won = (high > low) + 0.5 * (high == low)
        members = np.eye(self.count)
        of_worse, of_better = members[self.index[worse]], members[self.index[better]]
        return of_worse.T @ won @ of_better, np.outer(of_worse.sum(0), of_better.sum(0))


def _ratio(above: np.ndarray, below: np.ndarray, within: Range) -> Estimate | None:
    """Return a sum over prompts by another; prompts that add nothing below do not count."""
    if below.sum() == 0 or np.isnan(above).any():
        return None
    above, below = above[below > 0], below[below > 0]
    return _estimate(above.sum() / below.sum(), above.sum() - above, below.sum() - below, float(below.sum()), within)


def _estimate(value: float, above: np.ndarray, below: np.ndarray, count: float, within: Range) -> Estimate:
    """Return a ratio with its interval, from what is above and below without each prompt."""
    without_one = above[below > 0] / below[below > 0]
    error = jackknife_error(without_one) if len(without_one) else 0.0
    return Estimate(float(value), *interval(float(value), error, len(without_one), within), round(count), len(above))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _pearson(sums: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation from the sums of 1, x, y, x^2, y^2 and x y."""
    count, x, y, xx, yy, xy = sums
    return np.asarray((count * xy - x * y) / np.sqrt((count * xx - x * x) * (count * yy - y * y)))
