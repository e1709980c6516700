"""What a person has chosen on the page, as one value: it is what a link says, and what runs are made from."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args, get_type_hints
from urllib.parse import parse_qsl, urlencode

from heedful.catalogue import DEFAULT_METHOD, METHODS, TEACHING_METHODS, check_name
from heedful.errors import SettingsError

VIEWS = ("steer", "see", "teach", "compare")
EXAMPLE = "a cat and a blue clock"
LESSON = "a <cat1> cat and a <dog1> dog"
NO_SECOND = ""


@dataclass(frozen=True, kw_only=True)
class State:
    """Every choice on the page. A link has those that differ from their defaults, under the names of these fields.

    Raises `SettingsError` for a method that is not there. Whether prompt, seeds and numbers suit the model is found
    out, and said, where images are made.
    """

    view: str = "steer"
    """One of `VIEWS`."""
    prompt: str = EXAMPLE
    """With or without marks."""
    method: str = DEFAULT_METHOD
    second: str = "none"
    """The method that it is compared with; empty for no second one."""
    seeds: str = "0-3"
    """As the command line reads them."""
    steps: int | None = None
    guidance_scale: float | None = None
    scheduler: str | None = None
    width: int | None = None
    height: int | None = None
    batch_size: int | None = None
    model: str | None = None
    """Folder, hub id or `world:NAME`; None is the first embedded model."""
    device: str = "auto"
    dtype: str | None = None
    concepts_from: tuple[str, ...] = ()
    """Folders of taught concepts."""
    lora: tuple[str, ...] = ()
    seed: int = 0
    """Of the image that See looks at."""
    looked: str = ""
    """The method of the image that See looks at; empty for `method`."""
    lesson: str = LESSON
    """What Teach teaches."""
    teacher: str = DEFAULT_METHOD
    """A method that teaches."""
    max_train_steps: int | None = None
    out: str = ""
    """The folder of what is taught; empty for one that the page chooses."""
    folder: str = ""
    """The folder of a benchmark that Compare shows."""
    score: str = ""
    """The score that Compare shows; empty for the usual one."""

    def __post_init__(self) -> None:
        check_name(self.view, VIEWS, "a view")
        check_name(self.method, METHODS, "a method")
        check_name(self.teacher, TEACHING_METHODS, "a method that teaches")
        for name in (self.second, self.looked):
            if name:
                check_name(name, METHODS, "a method")

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods whose images stand side by side, each once: the second one first."""
        return tuple(dict.fromkeys(name for name in (self.second, self.method) if name))

    @property
    def seen_method(self) -> str:
        """The method of the image that See looks at."""
        return self.looked or self.method

    def to_query(self) -> str:
        """Return the query of a link to this state: only what differs from the defaults."""
        pairs: list[tuple[str, str]] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                pairs += [(field.name, _plain(each)) for each in (value if isinstance(value, tuple) else (value,))]
        return urlencode(pairs)

    @classmethod
    def from_query(cls, query: str, defaults: Mapping[str, Any] | None = None) -> "State":
        """Return the state that a query says; `defaults` are those of this page, such as its model.

        Raises `SettingsError` for a name that is no field, one that comes twice, and a number that is none.
        """
        hints = get_type_hints(cls)
        values: dict[str, Any] = {}
        for name, text in parse_qsl(query.removeprefix("?"), keep_blank_values=True):
            if name not in hints:
                raise SettingsError(f"Expected a link with some of {', '.join(hints)}, got {name!r}. Remove it.")
            if hints[name] == tuple[str, ...]:
                values[name] = (*values.get(name, ()), text)
            elif name in values:
                raise SettingsError(f"Expected {name} once in the link, got it twice. Remove one.")
            else:
                values[name] = _read(name, text, hints[name])
        return cls(**{**(defaults or {}), **values})


def _plain(value: Any) -> str:
    return "" if value is None else str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _read(name: str, text: str, hint: Any) -> Any:
    """Return a value of a link in the type of its field; an empty one is None where there may be none."""
    kinds = get_args(hint) or (hint,)
    if text == "" and type(None) in kinds:
        return None
    for kind, said in ((int, "a whole number"), (float, "a number")):
        if kind in kinds:
            try:
                return kind(text)
            except ValueError as reason:
                raise SettingsError(f"Expected {said} for {name.replace('_', ' ')}, got {text!r}.") from reason
    return text
