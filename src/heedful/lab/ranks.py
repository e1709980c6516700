"""Does a larger value mean a worse image? Areas under the ROC curve and rank correlations, with intervals over prompts.

Images of one prompt resemble each other, and prompts differ in how hard they are. So prompts are resampled, not images,
and every question is also asked within prompts, where what differs is the noise alone. Knows numbers only.
"""

from collections.abc import Sequence

import numpy as np

from heedful.scores import RESAMPLES, Estimate


class Resampling:
    """Prompts drawn again and again; one for a whole study, so that all its figures are paired.

    `prompts` names the prompt of each image (or object). Intervals are 95 % percentiles of 10 000 resamples; those in
    which a figure has no value are left out.
    """

    def __init__(self, prompts: Sequence[str], seed: int = 0) -> None:
        names, index = np.unique(np.asarray(prompts, dtype=str), return_inverse=True)
        self.index = index
        """The prompt of each image, as a number."""
        self.count = len(names)
        even = np.full(self.count, 1 / self.count)
        self._weights = np.random.default_rng(seed).multinomial(self.count, even, RESAMPLES).astype(float)

    def mean(self, values: np.ndarray, chosen: np.ndarray | None = None) -> Estimate | None:
        """Return the mean of `values` (image,) over the `chosen` images (bool); None if there are none."""
        chosen = np.ones(len(values), dtype=bool) if chosen is None else chosen
        return self._ratio(self._sums(values, chosen), self._sums(np.ones(len(values)), chosen))

    def auc(self, values: np.ndarray, worse: np.ndarray, better: np.ndarray) -> Estimate | None:
        """Return how often an image of `worse` (bool) has the larger value than one of `better`; ties count half.

        Over all pairs of images, of whichever prompts. .5 is chance, 1 a perfect forecast; `count` counts pairs.
        """
        wins, pairs = self._wins(values, worse, better)
        if pairs.sum() == 0 or np.isnan(values).any():
            return None
        drawn = (self._weights @ wins * self._weights).sum(1), (self._weights @ pairs * self._weights).sum(1)
        return _estimate(wins.sum(), pairs.sum(), *drawn)

    def auc_within(self, values: np.ndarray, worse: np.ndarray, better: np.ndarray) -> Estimate | None:
        """Return the same over the pairs of images that have one prompt."""
        wins, pairs = self._wins(values, worse, better)
        return None if np.isnan(values).any() else self._ratio(wins.diagonal(), pairs.diagonal())

    def advantage_within(
        self, values: np.ndarray, others: np.ndarray, worse: np.ndarray, better: np.ndarray
    ) -> Estimate | None:
        """Return by how much `auc_within` of `values` exceeds that of `others`, paired."""
        if np.isnan(values).any() or np.isnan(others).any():
            return None
        wins, pairs = self._wins(values, worse, better)
        return self._ratio(wins.diagonal() - self._wins(others, worse, better)[0].diagonal(), pairs.diagonal())

    def correlation(
        self,
        first: np.ndarray,
        second: np.ndarray,
        controls: Sequence[np.ndarray] = (),
        groups: Sequence[str] | None = None,
    ) -> Estimate | None:
        """Return the rank correlation (Spearman) of two values per object, in [-1, 1]; None if one never changes.

        `controls` are values whose ranks, to the third power, are regressed out of both. With `groups`, only
        differences between objects of one group count. Ranks and regression are taken once, not in every resample.
        """
        places = np.zeros(len(first), dtype=int) if groups is None else np.unique(groups, return_inverse=True)[1]
        sizes = np.bincount(places)

        def within(column: np.ndarray) -> np.ndarray:
            return column - (np.bincount(places, column) / sizes)[places]

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
        with np.errstate(all="ignore"):  # a resample in which nothing changes has no correlation
            drawn = _pearson(sums @ self._weights.T)
        value = float(_pearson(sums.sum(1)))
        low, high = np.nanpercentile(drawn, (2.5, 97.5))
        return Estimate(value, float(low), float(high), len(first))

    def _sums(self, values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        return np.bincount(self.index[chosen], values[chosen], self.count)

    def _wins(self, values: np.ndarray, worse: np.ndarray, better: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Won pairs and pairs, by the prompts of both images: (prompt of the worse, prompt of the better)."""
        high, low = values[worse][:, None], values[better][None]
        won = (high > low) + 0.5 * (high == low)
        places = np.eye(self.count)
        of_worse, of_better = places[self.index[worse]], places[self.index[better]]
        return of_worse.T @ won @ of_better, np.outer(of_worse.sum(0), of_better.sum(0))

    def _ratio(self, above: np.ndarray, below: np.ndarray) -> Estimate | None:
        if below.sum() == 0 or np.isnan(above).any():
            return None
        return _estimate(above.sum(), below.sum(), self._weights @ above, self._weights @ below)


def _estimate(above: float, below: float, drawn_above: np.ndarray, drawn_below: np.ndarray) -> Estimate:
    there = drawn_below > 0
    low, high = np.percentile(drawn_above[there] / drawn_below[there], (2.5, 97.5))
    return Estimate(float(above / below), float(low), float(high), round(below))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal values share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def _pearson(sums: np.ndarray) -> np.ndarray:
    """Pearson's correlation from the sums of 1, x, y, x^2, y^2 and x y."""
    count, x, y, xx, yy, xy = sums
    return np.asarray((count * xy - x * y) / np.sqrt((count * xx - x * x) * (count * yy - y * y)))
