"""What maps say in numbers: where a concept is looked at, how much two concepts share, how much is kept.

These figures describe; the losses have formulas of their own.
"""

from itertools import combinations, pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def overlap(one: Float[Tensor, "height width"], other: Float[Tensor, "height width"]) -> float:
    """Return how much two maps share: sum of minima over the smaller sum, in [0, 1].

    0: they look at different locations; 1: one lies within the other. Not A-STAR's ratio, which ends at 0.5.
    """
    shared = torch.minimum(one, other).sum()
    return float(shared / torch.minimum(one.sum(), other.sum()).clamp_min(1e-12))


def retention(before: Float[Tensor, "height width"], after: Float[Tensor, "height width"]) -> float:
    """Return which share of the cells above `before`'s mean are above `after`'s mean as well, in [0, 1]."""
    was, stays = before > before.mean(), after > after.mean()
    return float((was & stays).sum() / was.sum().clamp_min(1))


def peak(one: Float[Tensor, "height width"]) -> tuple[float, float]:
    """Return where a map is largest: (x, y) of the cell's centre from the upper left corner, each in [0, 1]."""
    height, width = one.shape
    row, column = divmod(int(one.argmax()), width)
    return (column + 0.5) / width, (row + 0.5) / height


def describe(maps: Float[Tensor, "concept step height width"], names: list[str]) -> list[dict[str, Any]]:
    """Return the figures of each step as plain values: peaks, shares, overlaps and retentions by concept."""
    steps: list[dict[str, Any]] = []
    for step in range(maps.shape[1]):
        now = maps[:, step]
        steps.append(
            {
                "step": step,
                "peak": {name: [round(value, 4) for value in peak(one)] for name, one in zip(names, now, strict=True)},
                "mean_attention": {name: round(float(one.mean()), 6) for name, one in zip(names, now, strict=True)},
                "overlap": {
                    f"{names[i]} / {names[j]}": round(overlap(now[i], now[j]), 4)
                    for i, j in combinations(range(len(names)), 2)
                },
                "retention": {},
            }
        )
    for before, after in pairwise(range(maps.shape[1])):
        steps[after]["retention"] = {
            name: round(retention(maps[index, before], maps[index, after]), 4) for index, name in enumerate(names)
        }
    return steps
