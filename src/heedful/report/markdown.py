"""Small pieces of Markdown: text that cannot be mistaken for markup, tables, blocks of code, intervals."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$])")


def escape(text: str) -> str:
    """Return `text` so that Markdown shows it as it is, in one line: prompts and errors may hold anything."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Return a name in the type of code, in one line and without the two signs that would end it or its cell."""
    return f"`{' '.join(text.replace('`', '').replace('|', '').split())}`"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], align: Literal["left", "right"] = "right") -> list[str]:
    """Return the lines of a table: the first column to the left, the others by `align`; nothing without rows."""
    if not rows:
        return []
    line = ["---", *["---:" if align == "right" else "---"] * (len(heads) - 1)]
    return ["", *(f"| {' | '.join(cells)} |" for cells in (heads, line, *rows)), ""]


def code_block(text: str, language: str = "text") -> list[str]:
    """Return the lines of a block of code, fenced by more backticks than any run of them in `text`."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", *text.rstrip().splitlines(), fence, ""]


def with_interval(figure: Mapping[str, Any], spec: str = ".3f") -> str:
    """Return the value of a figure with its interval, each number by `spec`."""
    return f"{figure['value']:{spec}} [{figure['low']:{spec}}, {figure['high']:{spec}}]"
