"""The processes of `accelerate launch`: which one this is, and waiting for the others.

A process that nobody launched so is alone, and waits for nobody.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any, TypeVar

from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from heedful.errors import HeedfulError

T = TypeVar("T")

_PATIENCE = timedelta(days=30)  # the fastest process waits for the slowest at the end


@dataclass(frozen=True)
class Processes:
    """Who this process is among those of a launch."""

    rank: int = 0
    count: int = 1
    state: Any = None

    @property
    def is_first(self) -> bool:
        """Whether this is the process that speaks for all."""
        return self.rank == 0

    @contextmanager
    def first_alone(self, guard: AbstractContextManager[None]) -> Iterator[None]:
        """Let the first process hold `guard` for all; what entering it raises is raised in all of them."""
        with ExitStack() as stack:
            error: list[Any] = [None]
            if self.is_first:
                try:
                    stack.enter_context(guard)
                except HeedfulError as reason:
                    error = [reason]
            if self.state is not None:
                broadcast_object_list(error)
            if error[0] is not None:
                raise error[0]
            yield

    def agree(self, text: str) -> str:
        """Return the `text` of the first process."""
        texts = [text]
        if self.state is not None:
            broadcast_object_list(texts)
        return texts[0]

    def share(self, batches: Iterable[T]) -> Iterator[T]:
        """Yield this process's share of `batches`: every n-th of n processes, counted from its rank."""
        return islice(batches, self.rank, None, self.count)

    def share_of(self, images: int) -> int:
        """Return about how many of `images` this process makes."""
        return -(-images // self.count)

    def wait(self) -> None:
        """Return when all processes are here."""
        if self.state is not None:
            self.state.wait_for_everyone()


def find_processes(device: str = "cpu") -> Processes:
    """Return this process among those that `accelerate launch` (or torchrun) has started, or alone.

    `device` is where the images are made: it decides how the processes talk to each other.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return Processes()
    state = PartialState(cpu=device == "cpu", timeout=_PATIENCE)
    return Processes(state.process_index, state.num_processes, state)
