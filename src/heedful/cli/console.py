"""How the command line speaks: results on stdout, progress and errors on stderr.

Knows the terminal. Knows nothing of what is said.
"""

import json
import os
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from heedful.errors import ConceptNotFound, HeedfulError, MissingExtra, UnsupportedScheduler

BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130  # exit codes; 130 is 128 + SIGINT

HINTS: dict[type[HeedfulError], str] = {
    ConceptNotFound: 'On the command line: --concepts "cat,blue clock".',
    UnsupportedScheduler: "On the command line: --scheduler ddim.",
}
"""Remedies that messages put in Python's words, said as options."""

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def say(text: str) -> None:
    """Print a line of result as it is: no markup, no line breaks of our own."""
    out.print(text, markup=False)


def tell(text: str) -> None:
    """Print a remark to stderr, where it does not mix with results."""
    err.print(text, markup=False)


def say_json(value: Any) -> None:
    """Print one JSON value to stdout, for programs."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def say_error(error: HeedfulError) -> None:
    """Print the message of `error`, whole and without traceback."""
    hint = HINTS.get(type(error))
    err.print(Text("Error: ", style="bold red") + Text(f"{error} {hint}" if hint else str(error)))


def exit_code(error: HeedfulError) -> int:
    """Return 2 if what was asked for is at fault, 1 if the installation or heedful is."""
    return FAILED if isinstance(error, MissingExtra) or type(error) is HeedfulError else BAD_INPUT


def quiet_libraries() -> None:
    """Ask the libraries for errors only, before they are imported. A user who set their level keeps it."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
