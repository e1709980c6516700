"""Pure functions of maps, one paper per file. Knows no model and no pipeline."""

from heedful.losses.a_star import Retention, Segregation
from heedful.losses.areas import OwnArea
from heedful.losses.attend_and_excite import AttendAndExcite
from heedful.losses.conform import CONFORM
from heedful.losses.disendiff import Bind, SeparateAndStrengthen
from heedful.losses.divide_and_bind import DIVIDE_AND_BIND_SCHEDULE, DivideAndBind
from heedful.losses.ebama import EBAMA
from heedful.losses.elsewhere import Elsewhere
from heedful.losses.evenness import Evenness, unevenness
from heedful.losses.exclusivity import Exclusivity
from heedful.losses.focus import FOCUS
from heedful.losses.initno import SelfConflict
from heedful.losses.loss import AnyLoss, Loss, Total, Weighted, citations_of, needs_self_attention, parts_of
from heedful.losses.masks import high_cells
from heedful.losses.normalise import at_least_tiny, text_softmax
from heedful.losses.separability import Separability
from heedful.losses.suppression import Suppression
from heedful.losses.syngen import SynGen
from heedful.losses.wrong_tokens import WrongTokens

__all__ = [
    "CONFORM",
    "DIVIDE_AND_BIND_SCHEDULE",
    "EBAMA",
    "FOCUS",
    "AnyLoss",
    "AttendAndExcite",
    "Bind",
    "DivideAndBind",
    "Elsewhere",
    "Evenness",
    "Exclusivity",
    "Loss",
    "OwnArea",
    "Retention",
    "Segregation",
    "SelfConflict",
    "Separability",
    "SeparateAndStrengthen",
    "Suppression",
    "SynGen",
    "Total",
    "Weighted",
    "WrongTokens",
    "at_least_tiny",
    "citations_of",
    "high_cells",
    "needs_self_attention",
    "parts_of",
    "text_softmax",
    "unevenness",
]
