"""How the command line speaks: results on stdout, progress and errors on stderr."""

import json
import os
import sys
import traceback
from collections.abc import Collection, Iterable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from cyclopts import CycloptsError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from heedful.errors import HeedfulError, MissingExtra

if TYPE_CHECKING:
    from heedful.prompts import Prompt

BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130  # exit codes; 130 is 128 + SIGINT

HINTS = {
    "another folder": "--out FOLDER",
    "overwrite what is there": "--overwrite",
    "concepts=[": '--concepts "cat,blue clock"',
    "DDIMScheduler": "--scheduler ddim",
    "an image and a mask": "--image FILE --mask-image FILE",
    "a batch size of 1": "--batch-size 1",
    "16-bit precision": "--dtype float16",
    "the learning rate": "--learning-rate",
    "mixed precision bf16": "--mixed-precision bf16",
    "as your own": "--class-data-dir FOLDER",
    "the folder that taught it": "--concepts-from FOLDER",
    "all prompts have the same noise": "--same-noise",
    "make no composites": "--composites 0",
    "your copy of the prompts": "--prompts FILE",
}
"""Words of messages below the command line, and the option that does what they say."""
typed: ContextVar[str | None] = ContextVar("typed", default=None)
"""The command as a person has typed it, for the model card."""
_SHOWN = 10  # prompts whose concepts are shown

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def say(text: str) -> None:
    """Print a line of result as it is: no markup, no line breaks of our own."""
    out.print(_printable(text), markup=False)


def tell(text: str) -> None:
    """Print a remark to stderr, where it does not mix with results."""
    err.print(_printable(text), markup=False)


def tell_notes(remarks: Iterable[str]) -> None:
    """Print remarks on what is about to be done to stderr."""
    for remark in remarks:
        tell(f"Note: {remark}")


def tell_concepts(prompts: "Iterable[Prompt]") -> None:
    """Print the concepts found in each prompt to stderr, so that a wrong one is seen before the work begins."""
    found = {prompt.text: "; ".join(concept.name for concept in prompt.concepts) or "none" for prompt in prompts}
    for text, concepts in list(found.items())[:_SHOWN]:
        tell(f"Concepts: {concepts}" if len(found) == 1 else f"Concepts of {text!r}: {concepts}")
    if len(found) > _SHOWN:
        tell(f"... and those of {len(found) - _SHOWN} more prompts.")


def say_json(value: Any) -> None:
    """Print one JSON value to stdout, for programs."""
    sys.stdout.write(_printable(json.dumps(value, indent=2, ensure_ascii=False)) + "\n")


def say_table(head: Sequence[str], rows: Iterable[Iterable[str]], *, ends_in_text: bool = False) -> None:
    """Print a table whose cells are not cut, whatever the terminal's width; a last column of text is wrapped."""
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    for position, title in enumerate(head):
        is_text = ends_in_text and position == len(head) - 1
        justify = "right" if position and not is_text else "left"
        table.add_column(Text(_printable(title.replace(".", ".\n"))), justify=justify, no_wrap=not is_text)
    for row in rows:
        table.add_row(*(Text(_printable(cell)) for cell in row))
    widths = out.measure(table, options=out.options.update(max_width=10_000))
    width = out.width if ends_in_text else max(widths.maximum, out.width)
    out.print(table, width=width, crop=False, soft_wrap=False)


def number(value: float | None, form: str) -> str:
    """Return a number for a table, or a dash for none."""
    return "-" if value is None else format(value, form)


def say_error(error: BaseException, options: Collection[str] = (), *, is_debugging: bool = False) -> None:
    """Print what `error` says, with the options of the command (`--out`, ...) that would do what it advises."""
    if is_debugging:
        err.print("".join(traceback.format_exception(error)), markup=False)
    text = _printable(describe(error))
    hints = [hint for words, hint in HINTS.items() if words in text and hint.split()[0] in options]
    hint = f" On the command line: {', '.join(hints)}." if hints and isinstance(error, HeedfulError) else ""
    err.print(Text("Error: ", style="bold red") + Text(text + hint))


def describe(error: BaseException) -> str:
    """Return what went wrong in a sentence or two."""
    if isinstance(error, HeedfulError | CycloptsError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = "".join(f" {name}" for name in (error.filename, error.filename2) if name is not None)
        return f"Expected to use the file or folder{where}, but the system says: {error.strerror}."
    if isinstance(error, MemoryError):
        return "The memory was too small. Ask for smaller or fewer images at a time."
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}".rstrip(": ") + " (--debug shows where)"


def exit_code(error: BaseException) -> int:
    """Return 2 if what was asked for is at fault, 1 if the installation or heedful is."""
    if isinstance(error, MissingExtra) or type(error) is HeedfulError:
        return FAILED
    return BAD_INPUT if isinstance(error, HeedfulError | CycloptsError | OSError | UnicodeError) else FAILED


def quiet_libraries() -> None:
    """Ask the libraries for errors only, before they are imported. A user who set their level keeps it."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")


def _printable(text: str) -> str:
    """Return `text` with question marks for what no terminal can show: half a character (a lone surrogate)."""
    return text.encode("utf-8", "replace").decode("utf-8")
