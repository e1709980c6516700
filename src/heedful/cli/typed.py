"""Words that a person types, read as the type of the field that they set."""

import math
from collections.abc import Mapping
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from heedful.errors import SettingsError

Kinds = tuple[Any, ...]
"""The types that a field may have, those that the fewest words fit first."""

_SIMPLE = {NoneType: "none", bool: "true or false", int: "a whole number", float: "a finite number", str: "a word"}
_TRUTHS = {"true": True, "false": False}


def settable_fields(of: type) -> dict[str, Kinds]:
    """Return the fields of a dataclass that one word can set."""
    hints = get_type_hints(of)
    kinds = {field.name: _kinds(hints[field.name]) for field in fields(of)}
    return {name: found for name, found in kinds.items() if any(_is_word(kind) for kind in found)}


def read_fields(texts: Mapping[str, str], known: Mapping[str, Kinds], what: str) -> dict[str, Any]:
    """Return the values of fields; raises `SettingsError` for an unknown field, and for a value of another type."""
    for name in texts:
        if name not in known:
            raise SettingsError(f"Expected {what}, one of {', '.join(known)}, got {name!r}.")
    return {name: read_value(name, text, known[name]) for name, text in texts.items()}


def read_value(name: str, text: str, kinds: Kinds) -> Any:
    """Return `text` as the first of `kinds` that it can be; raises `SettingsError`, which says what it may be."""
    for kind in kinds:
        try:
            return _read(text, kind)
        except (KeyError, ValueError):
            continue
    expected = " or ".join(_describe(kind) for kind in kinds if kind is NoneType or _is_word(kind))
    raise SettingsError(f"Expected {name} to be {expected}, got {text!r}.")


def _kinds(hint: Any) -> Kinds:
    found = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    order = list(_SIMPLE)
    return tuple(sorted(found, key=lambda kind: order.index(kind) if kind in order else -1))


def _is_word(kind: Any) -> bool:
    return get_origin(kind) is Literal or kind in (bool, int, float, str)


def _describe(kind: Any) -> str:
    return f"one of {', '.join(map(str, get_args(kind)))}" if get_origin(kind) is Literal else _SIMPLE[kind]


def _read(text: str, kind: Any) -> Any:
    """Return `text` as `kind`; raises `KeyError` or `ValueError` if it is no such thing."""
    if get_origin(kind) is Literal:
        return {str(choice): choice for choice in get_args(kind)}[text]
    if kind is NoneType:
        return {"none": None}[text.casefold()]
    if kind is bool:
        return _TRUTHS[text.casefold()]
    if kind is float and not math.isfinite(float(text)):
        raise ValueError
    if kind not in (int, float, str):
        raise KeyError
    return kind(text)
