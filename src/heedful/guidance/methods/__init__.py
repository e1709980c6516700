"""The methods by name, one file per paper: its loss, its published numbers, and what it leaves open.

`heedful.catalogue` lists them. Each is a constant here as well: `heedful.methods.A_STAR` is the method "a-star". The
losses are here to be composed anew, `heedful.methods.Segregation`, and so are the edits of the text,
`heedful.methods.PhrasesAlone`.
"""

from heedful import catalogue
from heedful.guidance.methods.a_star import Retention, Segregation
from heedful.guidance.methods.attend_and_excite import AttendAndExciteLoss
from heedful.guidance.methods.conform import ConformLoss
from heedful.guidance.methods.controls import WrongTokens
from heedful.guidance.methods.divide_and_bind import DivideAndBindLoss
from heedful.guidance.methods.dos import SeparatedText
from heedful.guidance.methods.ebama import EbamaLoss
from heedful.guidance.methods.focus import FocusLoss
from heedful.guidance.methods.heedful import Elsewhere, Separability
from heedful.guidance.methods.initno import SelfConflict
from heedful.guidance.methods.isac import InstanceOverlap, SemanticOverlap
from heedful.guidance.methods.phrases import PhrasesAlone
from heedful.guidance.methods.syngen import SynGenLoss
from heedful.guidance.methods.tebopt import BalancedText
from heedful.steering import Method as _Method

METHODS: dict[str, _Method] = catalogue.members("heedful.guidance.methods", catalogue.METHODS)
"""By the name that `heedful.guide` and the command line know."""

__all__ = [
    "METHODS",
    "AttendAndExciteLoss",
    "BalancedText",
    "ConformLoss",
    "DivideAndBindLoss",
    "EbamaLoss",
    "Elsewhere",
    "FocusLoss",
    "InstanceOverlap",
    "PhrasesAlone",
    "Retention",
    "Segregation",
    "SelfConflict",
    "SemanticOverlap",
    "Separability",
    "SeparatedText",
    "SynGenLoss",
    "WrongTokens",
    "find_method",
]


def find_method(method: _Method | str) -> _Method:
    """Return the method that is given itself or by name; raises `SettingsError`, which lists what there is."""
    return catalogue.find(method, METHODS, _Method, "a method")


def __getattr__(name: str) -> _Method:
    return catalogue.by_constant(__name__, METHODS, name, __all__)


def __dir__() -> list[str]:
    return [*map(catalogue.constant, METHODS), *__all__]
