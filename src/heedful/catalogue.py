"""The names of all methods, and the module in which each is defined; importing this file imports no torch.

A line here is all that makes a method known: to `heedful.methods`, to `heedful.guide(pipe, prompt, "a-star")`, to the
command line and to its help. The constant that a module defines is called like the method: A_STAR for "a-star".
"""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, TypeVar

from heedful.errors import SettingsError

Found = TypeVar("Found")

METHODS: dict[str, str] = {
    "none": "controls",
    "attend-and-excite": "attend_and_excite",
    "a-star": "a_star",
    "attend-and-excite+a-star": "a_star",
    "initno": "initno",
    "divide-and-bind": "divide_and_bind",
    "syngen": "syngen",
    "ebama": "ebama",
    "conform": "conform",
    "focus": "focus",
    "isac": "isac",
    "isac-selection": "isac",
    "osi": "osi",
    "phrases": "phrases",
    "tebopt": "tebopt",
    "dos": "dos",
    "heedful": "heedful",
    "random": "controls",
    "wrong-tokens": "controls",
}
"""Methods that steer, in the order in which they are listed; the modules are those of `heedful.guidance.methods`."""

TEACHING_METHODS: dict[str, str] = {
    "heedful": "heedful",
    "textual-inversion": "textual_inversion",
    "dreambooth": "dreambooth",
    "custom-diffusion": "custom_diffusion",
    "disendiff": "disendiff",
    "heedful-lora": "heedful",
    "dreambooth-lora": "dreambooth",
    "custom-diffusion-lora": "custom_diffusion",
    "disendiff-lora": "disendiff",
}
"""Methods that teach; the modules are those of `heedful.teaching.methods`."""

DEFAULT_METHOD = "heedful"
"""What steers, and what teaches, if nobody says otherwise."""


def constant(name: str) -> str:
    """Return the name of the constant that holds a method: "a-star" is A_STAR."""
    return name.replace("+", "_").replace("-", "_").upper()


def members(package: str, catalogue: Mapping[str, str]) -> dict[str, Any]:
    """Return the methods of a catalogue by name, imported from the modules of `package`."""
    return {name: getattr(import_module(f"{package}.{module}"), constant(name)) for name, module in catalogue.items()}


def by_constant(module: str, known: Mapping[str, Any], name: str, others: Collection[str]) -> Any:
    """Return the method whose constant is called `name`: what the `__getattr__` of a module of methods returns.

    Raises `AttributeError`, which lists the constants and what else the module has.
    """
    constants = {constant(method): value for method, value in known.items()}
    if name in constants:
        return constants[name]
    raise AttributeError(f"module {module!r} has no attribute {name!r}; it has: {', '.join([*constants, *others])}")


def find(method: Found | str, known: Mapping[str, Found], kind: type[Found], what: str) -> Found:
    """Return the method that is given itself or by name; raises `SettingsError`, which lists what there is."""
    return method if isinstance(method, kind) else known[check_name(method, known, what)]


def check_name(name: Any, known: Collection[str], what: str) -> str:
    """Return `name` if it is known; else raise `SettingsError`, which lists the known ones and the nearest of them."""
    if name in known:
        return name
    near = get_close_matches(name, known, n=1) if isinstance(name, str) else ()
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise SettingsError(f"Expected {what}, one of {', '.join(known)}, got {name!r}.{hint}")
