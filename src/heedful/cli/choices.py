"""What a person may write for a choice, and what it stands for.

Knows names. It is the only place where a method is a string.
"""

import ast
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from heedful import guidance
from heedful.errors import SettingsError
from heedful.guidance import Method, Settings


def find_method(name: str) -> Method:
    """Return the method called `name`, with other settings if they follow it: `a-star@step_size=10@guided=0.3`.

    The settings are those of `heedful.Settings` that are one number or word. The method is then called by the whole
    name, so that several settings of one method stand side by side. Raises `SettingsError`, which lists what there is.
    """
    base, *changes = name.split("@")
    method = guidance.find_method(base)
    if not changes:
        return method
    told = dict(_setting(change, name) for change in changes)
    embedded = None if method.embedded is None else replace(method.embedded, **told)
    return replace(method, name=name, settings=replace(method.settings, **told), embedded=embedded)


def _setting(text: str, name: str) -> tuple[str, Any]:
    """Return the field of `Settings` that `text` names, and its value."""
    field, _, value = text.partition("=")
    simple = {key: known for key, known in vars(Settings()).items() if isinstance(known, str | int | float)}
    try:
        read = simple[field] if isinstance(simple[field], str) else ast.literal_eval(value)
        read = value if isinstance(read, str) else read
    except (KeyError, ValueError, SyntaxError):
        read = None
    # a bool is an int to Python, and no number of steps
    if (
        read is None
        or isinstance(read, bool) != isinstance(simple[field], bool)
        or not isinstance(read, str | int | float)
    ):
        raise SettingsError(
            f"Expected settings as NAME=VALUE after the @ of a method, with one of the names {', '.join(simple)}, got "
            f"{text!r} in {name!r}. Write attend-and-excite@step_size=10@guided=0.3."
        )
    return field, float(read) if isinstance(simple[field], float) else read


def split_list(text: str | None, of: str) -> list[str] | None:
    """Return the parts of a list with commas, or None for None; raises `SettingsError` for an empty part."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise SettingsError(f"Expected {of} with commas between them, got {text!r}, which has a gap.")
    return parts


def read_values(texts: Sequence[str]) -> dict[str, Any]:
    """Return NAME=VALUE texts as names and values: Python's numbers, None and truths, else words."""
    values: dict[str, Any] = {}
    for text in texts:
        name, found, value = text.partition("=")
        if not found or not name or not value:
            raise SettingsError(f"Expected NAME=VALUE, got {text!r}. Write suppressions=2.")
        try:
            values[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            values[name] = value
    return values


def read_prompts(file: Path) -> list[str]:
    """Return the prompts of a text file, one a line; empty lines are left out. Raises `SettingsError`."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as reason:
        why = reason.strerror.lower() if isinstance(reason, OSError) and reason.strerror else "it is no UTF-8 text"
        raise SettingsError(f"Expected a text file of prompts at {file}, but it cannot be read ({why}).") from reason
    prompts = [line.strip() for line in lines if line.strip()]
    if not prompts:
        raise SettingsError(f"Expected one prompt a line in {file}, found none.")
    return prompts
