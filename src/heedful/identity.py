"""What an object is, as plain JSON: its class, and those of its fields that differ from their defaults.

So a new field with a default changes no identity that was written before. A default that changes does, without a trace:
raise `VERSION` then, and whatever was made under another version counts as made otherwise.
"""

import inspect
import sys
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any

VERSION = 1
_PACKAGE = Path(__file__).parent
_KNOWN = sys.stdlib_module_names | {"heedful", "torch", "numpy", "jaxtyping"}


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


def sources_of(*rooms: str) -> str:
    """Return 12 hexadecimal digits that change with the code of heedful's `rooms`.

    A version says nothing of a checkout.
    """
    digest = sha256()
    for path in sorted(path for room in rooms for path in (_PACKAGE / room).rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def code_of(thing: object) -> str | None:
    """Return 12 hexadecimal digits that change with the code of what `thing` is made of and is not heedful's.

    That are its class, those of its fields, and functions; what these call in turn does not count. None if all of it is
    heedful's, Python's or of the libraries that heedful is made with.
    """
    own = {each for each in _made_of(thing) if each.__module__.partition(".")[0] not in _KNOWN}
    written = sorted(map(_source, own))
    return sha256("\n".join(written).encode()).hexdigest()[:12] if written else None


def _made_of(thing: Any) -> Iterator[Any]:
    """Yield the class of `thing`, or the function that it is, and those of what it holds."""
    if inspect.isroutine(thing):
        yield thing
    elif isinstance(thing, list | tuple | set | frozenset):
        for each in thing:
            yield from _made_of(each)
    elif not inspect.isclass(thing):
        yield from type(thing).__mro__
        if is_dataclass(thing):
            for each in fields(thing):
                yield from _made_of(getattr(thing, each.name))


def _source(code: Any) -> str:
    try:
        return inspect.getsource(code)
    except (OSError, TypeError):  # made where nothing was written, or compiled
        return f"{code.__module__}.{code.__qualname__}"


def _is_default(field: Field[Any], value: Any) -> bool:
    """Return whether a field has its default, as far as an identity can tell."""
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return default is not MISSING and describe_fields(default) == describe_fields(value)
