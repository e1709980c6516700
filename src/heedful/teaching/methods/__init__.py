"""The teaching methods by name, one file per paper: what learns, its losses, and the published numbers.

`heedful.catalogue` lists them. Each is a constant here as well: `heedful.teaching_methods.DISENDIFF` is the method
"disendiff". So are the losses on maps: `heedful.teaching_methods.Bind`.
"""

from heedful import catalogue
from heedful.teaching.methods.disendiff import Bind, SeparateAndStrengthen
from heedful.teaching.methods.method import EMBEDDED, TeachingMethod

METHODS: dict[str, TeachingMethod] = catalogue.members("heedful.teaching.methods", catalogue.TEACHING_METHODS)
"""By the name that `heedful.teach` and the command line know."""

__all__ = ["EMBEDDED", "METHODS", "Bind", "SeparateAndStrengthen", "TeachingMethod", "find_method"]


def find_method(method: TeachingMethod | str) -> TeachingMethod:
    """Return the teaching method that is given itself or by name; raises `SettingsError`, which lists what there is."""
    return catalogue.find(method, METHODS, TeachingMethod, "a teaching method")


def __getattr__(name: str) -> TeachingMethod:
    return catalogue.by_constant(__name__, METHODS, name, __all__)


def __dir__() -> list[str]:
    return [*map(catalogue.constant, METHODS), *__all__]
