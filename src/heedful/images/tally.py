"""How images went, in one line per method: counts, times and mean figures, without intervals."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class MethodTally:
    """What the records of one method say."""

    method: str
    done: int
    failed: int
    seconds_per_image: float | None
    cost: float | None
    """Mean operations relative to plain sampling."""
    loss: float | None = None
    """Mean of the last losses; None without a loss."""
    figures: dict[str, float] = field(default_factory=dict)
    """Mean of every figure over the images for which it has a value."""


def tally(records: Iterable[dict[str, Any]]) -> list[MethodTally]:
    """Return a line for each method, in the order in which they appear; keeps sums, not records."""
    sums: dict[str, _Sums] = {}
    for record in records:
        sums.setdefault(record["method"], _Sums()).add(record)
    return [each.line(method) for method, each in sums.items()]


class _Mean:
    """A mean of numbers that come one by one."""

    def __init__(self) -> None:
        self.count, self.sum = 0, 0.0

    def add(self, value: float | None) -> None:
        if value is not None:
            self.count, self.sum = self.count + 1, self.sum + value

    @property
    def value(self) -> float | None:
        return self.sum / self.count if self.count else None


class _Sums:
    """What is known of one method so far."""

    def __init__(self) -> None:
        self.done = self.failed = 0
        self.seconds, self.cost, self.loss = _Mean(), _Mean(), _Mean()
        self.figures: dict[str, _Mean] = {}

    def add(self, record: dict[str, Any]) -> None:
        if record["status"] != "done":
            self.failed += 1
            return
        self.done += 1
        self.seconds.add(record["seconds"])
        self.cost.add(record["cost"])
        self.loss.add(record["trace"].get("last_loss"))
        for name, value in record["scores"].items():
            self.figures.setdefault(name, _Mean()).add(value)

    def line(self, method: str) -> MethodTally:
        return MethodTally(
            method=method,
            done=self.done,
            failed=self.failed,
            seconds_per_image=self.seconds.value,
            cost=self.cost.value,
            loss=self.loss.value,
            figures={name: mean.value for name, mean in self.figures.items() if mean.value is not None},
        )
