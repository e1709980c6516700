"""The methods by name, one file per paper: what it steers by, its published numbers, and what it leaves open.

`heedful.catalogue` lists them. Each is a constant here as well: `heedful.methods.A_STAR` is the method "a-star".
"""

from heedful import catalogue
from heedful.guidance.methods.method import EMBEDDED, Method

METHODS: dict[str, Method] = catalogue.members("heedful.guidance.methods", catalogue.METHODS)
"""By the name that `heedful.guide` and the command line know."""

__all__ = ["EMBEDDED", "METHODS", "Method", "find_method"]


def find_method(method: Method | str) -> Method:
    """Return the method that is given itself or by name; raises `SettingsError`, which lists what there is."""
    return catalogue.find(method, METHODS, Method, "a method")


def __getattr__(name: str) -> Method:
    return catalogue.by_constant(__name__, METHODS, name, __all__)


def __dir__() -> list[str]:
    return [*map(catalogue.constant, METHODS), *__all__]
