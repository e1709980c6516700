"""Names and lists that a person writes, and what they stand for."""

from collections.abc import Iterable
from dataclasses import is_dataclass, replace

from heedful.catalogue import check_name
from heedful.cli.typed import Kinds, read_fields, settable_fields
from heedful.errors import SettingsError
from heedful.guidance import METHODS, Method, Settings
from heedful.losses import parts_of
from heedful.teaching import TEACHING_METHODS, TeachingMethod


def find_method(text: str) -> Method:
    """Return the method called `text`, with other settings if they follow it: `a-star@step_size=10@guided=0.3`.

    The settings are those of `heedful.Settings` that one word can say. The method is then called by the whole text, so
    that several settings of one method stand side by side. Raises `SettingsError`, which lists what there is.
    """
    base, *changes = text.split("@")
    method = METHODS[check_name(base, METHODS, "a method")]
    if not changes:
        return method
    values = read_fields(read_pairs(changes), settable_fields(Settings), "a setting after the @ of a method")
    world = None if method.world is None else replace(method.world, **values)
    return replace(method, name=text, settings=replace(method.settings, **values), world=world)


def find_methods(text: str) -> list[Method]:
    """Return the methods of a list with commas, each once; raises `SettingsError`."""
    return [find_method(name) for name in dict.fromkeys(split_list(text, "methods"))]


def find_teaching_method(name: str, rank: int | None = None, loss_options: Iterable[str] = ()) -> TeachingMethod:
    """Return the teaching method called `name`; raises `SettingsError`.

    `rank`: of a LoRA that learns in place of the weights; None leaves the method as it is.
    `loss_options`: NAME=VALUE for fields of the method's losses on maps.
    """
    method = TEACHING_METHODS[check_name(name, TEACHING_METHODS, "a teaching method")]
    if rank is not None:
        method = method.as_lora(rank) if method.rank is None else replace(method, rank=rank)
    pairs = read_pairs(loss_options)
    if not pairs:
        return method
    known: dict[str, Kinds] = {}
    for part in parts_of(method.loss) if method.loss is not None else ():
        known |= settable_fields(type(part)) if is_dataclass(part) else {}
    return method.with_loss(**read_fields(pairs, known, f"a field of the losses of {name}"))


def find_any_method(name: str) -> Method | TeachingMethod:
    """Return the method of steering, or else of teaching, that is called `name`; raises `SettingsError`."""
    check_name(name.split("@")[0], (*METHODS, *TEACHING_METHODS), "a method")
    return TEACHING_METHODS[name] if name in TEACHING_METHODS and name not in METHODS else find_method(name)


def split_list(text: str, of: str) -> list[str]:
    """Return the parts of a list with commas; raises `SettingsError` for an empty part."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise SettingsError(f"Expected {of} with commas between them, got {text!r}, which has a gap.")
    return parts


def read_pairs(texts: Iterable[str]) -> dict[str, str]:
    """Return NAME=VALUE texts by name; raises `SettingsError` for another text, and for a name that comes twice."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not name or not value or name in pairs:
            raise SettingsError(f"Expected NAME=VALUE, each name once, got {text!r}. Write step_size=10.")
        pairs[name] = value
    return pairs
