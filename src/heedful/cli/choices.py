"""What a person may write for a choice, and what it stands for.

Knows names. It is the only place where a method is a string.
"""

from pathlib import Path

from heedful.errors import SettingsError
from heedful.guidance.methods import METHODS, Method


def find_method(name: str) -> Method:
    """Return the method called `name`; raises `SettingsError` that lists the names."""
    if name not in METHODS:
        raise SettingsError(f"Expected one of the methods {', '.join(METHODS)}, got {name!r}.")
    return METHODS[name]


def split_list(text: str | None, of: str) -> list[str] | None:
    """Return the parts of a list with commas, or None for None; raises `SettingsError` for an empty part."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise SettingsError(f"Expected {of} with commas between them, got {text!r}, which has a gap.")
    return parts


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
