"""Files that a person names: read whole, or refused in one sentence."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from heedful.errors import HeedfulError, SettingsError


def read_text(file: Path, what: str) -> str:
    """Return the text of a file, which `what` names in the error; raises `SettingsError`."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as reason:
        why = reason.strerror.lower() if isinstance(reason, OSError) and reason.strerror else "it is no UTF-8 text"
        raise SettingsError(f"Expected {what} at {file}, but it cannot be read ({why}).") from reason


def read_json(file: Path, what: str) -> Any:
    """Return the JSON object in a file, which `what` names in the error; raises `SettingsError`."""
    with expecting(what, file):
        found = json.loads(read_text(file, what))
    if not isinstance(found, dict):
        raise SettingsError(f"Expected {what} in {file}, which is a JSON object, got a {type(found).__name__}.")
    return found


def read_prompts(file: Path) -> list[str]:
    """Return the prompts of a text file, one per line; empty lines are skipped. Raises `SettingsError`."""
    prompts = [line.strip() for line in read_text(file, "a text file of prompts").splitlines() if line.strip()]
    if not prompts:
        raise SettingsError(f"Expected one prompt per line in {file}, found none.")
    return prompts


@contextmanager
def expecting(what: str, file: Path) -> Iterator[None]:
    """Raise `SettingsError`, which says that `file` is not `what`, for any error of data of another shape."""
    try:
        yield
    except HeedfulError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as reason:
        raise SettingsError(
            f"Expected {what} in {file}, but it is something else ({type(reason).__name__}: {reason})."
        ) from reason
