"""Names and lists that a person writes, and what they stand for."""

import ast
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, get_args, get_type_hints

from heedful.catalogue import check_name
from heedful.errors import SettingsError
from heedful.fields import check_fields
from heedful.guidance import METHODS, Method, Settings, find_method
from heedful.losses import parts_of
from heedful.teaching import METHODS as TEACHING_METHODS
from heedful.teaching import TeachingMethod
from heedful.teaching import find_method as find_teaching_method


def read_method(text: str) -> Method:
    """Return the method called `text`, with other settings if they follow it: `a-star@step_size=10@guided=0.3`.

    The settings are those of `heedful.Settings` that one word can say. The method is then called by the whole text, so
    that several settings of one method stand side by side. Raises `SettingsError`, which lists what there is.
    """
    base, *changes = text.split("@")
    method = find_method(base)
    if not changes:
        return method
    values = read_fields(Settings, changes, "settings after the @ of a method")
    embedded = None if method.embedded is None else replace(method.embedded, **values)
    return replace(method, name=text, settings=replace(method.settings, **values), embedded=embedded)


def read_methods(text: str) -> list[Method]:
    """Return the methods of a list with commas, each once; raises `SettingsError`."""
    return [read_method(name) for name in dict.fromkeys(split_list(text, "methods"))]


def read_teaching_method(name: str, rank: int | None = None, loss_options: Iterable[str] = ()) -> TeachingMethod:
    """Return the teaching method called `name`; raises `SettingsError`.

    - `rank` is that of a LoRA that learns instead of the weights; None leaves the method as it is.
    - `loss_options` are NAME=VALUE for fields of the method's losses on maps.
    """
    method = find_teaching_method(name)
    if rank is not None:
        method = method.as_lora(rank)
    texts = list(loss_options)
    if not texts:
        return method
    values: dict[str, Any] = {}
    for part in parts_of(method.loss) if method.loss is not None else ():
        known = [text for text in texts if text.partition("=")[0] in vars(part)]
        values |= read_fields(type(part), known, "fields of the losses on maps")
    unknown = {text.partition("=")[0]: None for text in texts}
    return method.with_loss(**{**unknown, **values})


def read_any_method(name: str) -> Method | TeachingMethod:
    """Return the method of steering, or else of teaching, that is called `name`; raises `SettingsError`."""
    check_name(name.split("@")[0], (*METHODS, *TEACHING_METHODS), "a method")
    return TEACHING_METHODS[name] if name in TEACHING_METHODS and name not in METHODS else read_method(name)


def split_list(text: str, of: str) -> list[str]:
    """Return the parts of a list with commas; raises `SettingsError` for an empty part."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise SettingsError(f"Expected {of} with commas between them, got {text!r}, which has a gap.")
    return parts


def read_fields(of: type, texts: Iterable[str], what: str) -> dict[str, Any]:
    """Return NAME=VALUE texts as fields of a dataclass, which `what` names in errors.

    Values are numbers, True, False and None as Python writes them, else words. Raises `SettingsError` for another text,
    for a field that there is not or that comes twice, and for a value of another type.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not name or not value or name in values:
            raise SettingsError(f"Expected NAME=VALUE, each name once, got {text!r}. Write step_size=10.")
        try:
            read = ast.literal_eval(value)
        except (MemoryError, RecursionError, SyntaxError, ValueError):
            read = value
        values[name] = read if read is None or isinstance(read, bool | int | float) else value
    check_fields(of, values, what)
    hints = get_type_hints(of)
    return {
        name: float(value) if type(value) is int and float in (hints[name], *get_args(hints[name])) else value
        for name, value in values.items()
    }
