"""Progress bars: how many are done, how fast it goes, and the time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


def image_progress(console: Console, *, disable: bool = False) -> Progress:
    """Return a bar with images, images per second and the time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), _Count(), _Speed("images"), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=disable)


def step_progress(console: Console, *, disable: bool = False) -> Progress:
    """Return a bar with steps, steps per second, the time left, and the text in the field `losses` of its task."""
    columns = (TextColumn("{task.description}"), BarColumn(24), _Count(), _Speed("steps"), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.fields[losses]}"), console=console, disable=disable)


@contextmanager
def counting(console: Console) -> Iterator[Callable[..., None]]:
    """Yield `show(name, done, total, note="")`, which draws a bar for each name."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        tasks: dict[str, TaskID] = {}

        def show(name: str, done: int, total: int, note: str = "") -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done, total=total, description=f"{name}{note}")

        yield show


class _Count(ProgressColumn):
    """How many are whole, of how many."""

    def render(self, task: Task) -> Text:
        return Text(f"{int(task.completed + 1e-6)}/{int(task.total or 0)}")


class _Speed(ProgressColumn):
    """Images or steps per second, or seconds for one of them where that is the larger number."""

    def __init__(self, unit: str):
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text(f"- {self._unit}/s")
        return Text(f"{speed:.1f} {self._unit}/s" if speed >= 1 else f"{1 / speed:.1f} s/{self._unit[:-1]}")
