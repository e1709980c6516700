"""Checks values against the types of a dataclass's fields, so that a wrong setting is refused and not misread."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from heedful.errors import SettingsError


def check_fields(kind: type, values: Mapping[str, Any], what: str) -> None:
    """Raise `SettingsError` for a name that is no field of the dataclass `kind`, and for a value of another type.

    `what` names the fields in the message: "settings of a training". Numbers must be finite; True is no number.
    """
    names = [field.name for field in fields(kind) if field.init]
    hints = get_type_hints(kind)
    for name, value in values.items():
        if name not in names:
            raise SettingsError(f"Expected one of the {what} ({', '.join(names)}), got {name!r}.")
        if not _fits(value, hints[name]):
            raise SettingsError(f"Expected {name} to be {_said(hints[name])}, got {value!r}.")


def _fits(value: Any, hint: Any) -> bool:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if hint is Any:
        return True
    if hint is float:
        return type(value) in (int, float) and isfinite(value)
    if hint is int:
        return type(value) is int
    if origin is tuple and parts[-1] is ...:
        return isinstance(value, tuple) and all(_fits(each, parts[0]) for each in value)
    return isinstance(value, origin or hint)


def _said(hint: Any) -> str:
    """Return a type in words: "one of mean, sum", "a number or None"."""
    parts: Sequence[Any] = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_said(part) for part in parts)
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, parts))}"
    words = {bool: "True or False", int: "a whole number", float: "a finite number", str: "a word", NoneType: "None"}
    return words.get(hint, f"a {getattr(get_origin(hint) or hint, '__name__', hint)}")
