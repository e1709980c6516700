"""What the commands of `heedful bench` share: how scores are named, and the table of what there is.

Knows words and columns. What is slow is imported when it is asked for.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from heedful.cli.console import out, say, say_json
from heedful.errors import SettingsError

if TYPE_CHECKING:
    from heedful.bench import BenchFolder
    from heedful.images import MethodTally
    from heedful.scores import Score

ScoresOption = Annotated[
    str | None,
    typer.Option(
        "--scores",
        metavar="NAME,NAME...",
        help="How images are scored; `heedful bench list` names them. Without it: what needs no download and can judge "
        "this model's images.",
        show_default=False,
    ),
]


def find_scores(names: str | None) -> "tuple[Score, ...] | None":
    """Return the scores with these names; raises `SettingsError` for others, and for those that need originals."""
    from heedful.cli.choices import split_list
    from heedful.scores import SCORES, score_kind

    if names is None:
        return None
    found = []
    for name in dict.fromkeys(split_list(names, "scores") or []):
        if name not in SCORES:
            raise SettingsError(f"Expected one of the scores {', '.join(SCORES)}, got {name!r}.")
        if score_kind(name).needs_originals:
            raise SettingsError(
                f"Expected scores that need no pictures to compare with, got {name!r}. It is for taught concepts."
            )
        found.append(SCORES[name]())
    return tuple(found)


def say_lines(lines: "list[MethodTally]", folder: "BenchFolder", as_json: bool) -> None:
    """Print a line a method: all of it as JSON, or a table of what fits."""
    if as_json:
        say_json({"out": str(folder.folder), "methods": [asdict(line) for line in lines]})
        return
    names = list(dict.fromkeys(name for line in lines for name in line.figures))
    first = list({name.split(".")[0]: name for name in reversed(names)}.values())[::-1]
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("method")
    for title in ("done", "failed", "s/image", "cost", *first):
        table.add_column(title, justify="right", overflow="fold")
    for line in lines:
        figures = [_number(line.figures.get(name), ".3f") for name in first]
        seconds, cost = _number(line.seconds_per_image, ".2f"), _number(line.cost, ".2f")
        table.add_row(line.method, str(line.done), str(line.failed), seconds, cost, *figures)
    out.print(table, soft_wrap=False)
    say(f"Records: {folder.folder / 'records'}")


def _number(value: Any, form: str) -> str:
    return "-" if value is None else format(value, form)
