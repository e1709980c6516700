"""Pure functions of maps, one paper per file. Knows no model and no pipeline."""

from heedful.losses.a_star import Retention, Segregation
from heedful.losses.areas import OwnArea
from heedful.losses.attend_and_excite import AttendAndExcite
from heedful.losses.disendiff import Bind, SeparateAndStrengthen
from heedful.losses.ebama import EBAMA
from heedful.losses.evenness import Evenness
from heedful.losses.exclusivity import Exclusivity
from heedful.losses.loss import AnyLoss, Loss, Total, Weighted, citations_of
from heedful.losses.masks import high_cells
from heedful.losses.normalise import text_softmax
from heedful.losses.suppression import Suppression
from heedful.losses.syngen import SynGen
from heedful.losses.wrong_tokens import WrongTokens

__all__ = [
    "EBAMA",
    "AnyLoss",
    "AttendAndExcite",
    "Bind",
    "Evenness",
    "Exclusivity",
    "Loss",
    "OwnArea",
    "Retention",
    "Segregation",
    "SeparateAndStrengthen",
    "Suppression",
    "SynGen",
    "Total",
    "Weighted",
    "WrongTokens",
    "citations_of",
    "high_cells",
    "text_softmax",
]
