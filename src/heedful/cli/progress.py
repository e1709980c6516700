"""A progress bar of images: how many, how fast, how long still. Knows the terminal, and nothing of what is done."""

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


def image_progress(console: Console, *, disable: bool = False) -> Progress:
    """Return a bar with images, images per second and the time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), _Images(), _Speed(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=disable)


class _Images(ProgressColumn):
    """How many images are whole, of how many."""

    def render(self, task: Task) -> Text:
        return Text(f"{int(task.completed + 1e-6)}/{int(task.total or 0)}")


class _Speed(ProgressColumn):
    """Images per second, or seconds per image where that is the larger number."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("- images/s")
        return Text(f"{speed:.1f} images/s" if speed >= 1 else f"{1 / speed:.1f} s/image")
