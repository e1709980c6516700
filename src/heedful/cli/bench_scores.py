"""Scores as the commands of `heedful bench` take them by name, and the table of what they gave."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from heedful.cli.console import number, say, say_json, say_table
from heedful.errors import SettingsError

if TYPE_CHECKING:
    from heedful.bench import BenchFolder
    from heedful.images import MethodTally
    from heedful.scores import Score


def find_scores(names: str) -> "tuple[Score, ...]":
    """Return the scores with these names; raises `SettingsError` for others, and for those that need originals."""
    from heedful.catalogue import check_name
    from heedful.cli.choices import split_list
    from heedful.scores import SCORES, score_kind

    chosen = list(dict.fromkeys(split_list(names, "scores")))
    for name in chosen:
        check_name(name, SCORES, "a score")
        if score_kind(name).needs_originals:
            raise SettingsError(
                f"Expected scores that need no images to compare with, got {name!r}. It is for taught concepts."
            )
    return tuple(SCORES[name]() for name in chosen)


def say_lines(lines: "list[MethodTally]", folder: "BenchFolder", as_json: bool) -> None:
    """Print a line per method: all of it as JSON, or a table with the first figure of each score."""
    if as_json:
        say_json({"out": str(folder.folder), "methods": [asdict(line) for line in lines]})
        return
    names = dict.fromkeys(name for line in lines for name in line.figures)
    first = list({name.split(".")[0]: name for name in reversed(names)}.values())[::-1]
    say_table(
        ("method", "done", "failed", "s/image", "cost", *first),
        (
            (
                line.method,
                f"{line.done}",
                f"{line.failed}",
                number(line.seconds_per_image, ".2f"),
                number(line.cost, ".2f"),
                *(number(line.figures.get(name), ".3f") for name in first),
            )
            for line in lines
        ),
    )
    say(f"Records: {folder.folder / 'records'}")
