"""What an object is, as plain JSON: its class, and those of its fields that differ from their defaults.

So a new field with a default changes no identity that was written before. A default that changes does, without a trace:
raise `VERSION` then, and whatever was made under another version counts as made otherwise.
"""

from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import PurePath
from typing import Any

VERSION = 1


def identity(thing: object, *leave_out: str) -> dict[str, Any]:
    """Return the versioned identity of a dataclass, without the fields called `leave_out`."""
    plain = describe_fields(thing)
    return {"version": VERSION, **{name: value for name, value in plain.items() if name not in leave_out}}


def describe_fields(thing: Any) -> Any:
    """Return `thing` as plain JSON.

    - A dataclass is a mapping: "class" is its name, then come the fields that differ from their defaults, in the same
      way. Fields that are not compared, or are not arguments, do not count.
    - A function or class is the name under which it can be imported, so that two runs agree.
    - A number that JSON cannot write (infinite, not a number) is a word.
    """
    if thing is None or isinstance(thing, bool | int | str):
        return thing
    if isinstance(thing, float):
        return thing if abs(thing) < float("inf") else str(thing)
    if is_dataclass(thing) and not isinstance(thing, type):
        named = {each.name: (each, getattr(thing, each.name)) for each in fields(thing) if each.init and each.compare}
        return {
            "class": type(thing).__name__,
            **{name: describe_fields(value) for name, (each, value) in named.items() if not _is_default(each, value)},
        }
    if isinstance(thing, dict):
        return {str(key): describe_fields(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [describe_fields(value) for value in thing]
    if isinstance(thing, set | frozenset):
        return sorted(map(describe_fields, thing), key=repr)
    if isinstance(thing, PurePath):
        return thing.as_posix()
    if hasattr(thing, "__qualname__"):
        return f"{thing.__module__}.{thing.__qualname__}"
    text = repr(thing)  # an address in memory is no property
    return f"{type(thing).__module__}.{type(thing).__qualname__}" if " at 0x" in text else text


def _is_default(field: Field[Any], value: Any) -> bool:
    """Return whether a field has its default, as far as an identity can tell."""
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return default is not MISSING and describe_fields(default) == describe_fields(value)
