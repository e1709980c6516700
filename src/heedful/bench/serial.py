"""The engine that needs nothing: one device, one batch after the other, in this process."""

from collections.abc import Iterable, Iterator

from heedful.bench.cases import Batch, Load, Result


def run_serially(load: Load, batches: Iterable[Batch]) -> Iterator[tuple[Batch, list[Result]]]:
    """Make the batches in their order, and yield each when it is made."""
    make = load()
    for batch in batches:
        yield batch, make(batch)
