"""Losses: pure functions of maps, one paper per file. Their published numbers are methods (`heedful.methods`)."""

from heedful.losses.a_star import Retention, Segregation
from heedful.losses.areas import OwnArea, high_cells
from heedful.losses.attend_and_excite import AttendAndExcite
from heedful.losses.conform import CONFORM
from heedful.losses.disendiff import Bind, SeparateAndStrengthen
from heedful.losses.divide_and_bind import DivideAndBind
from heedful.losses.ebama import EBAMA
from heedful.losses.elsewhere import Elsewhere
from heedful.losses.evenness import Evenness, unevenness
from heedful.losses.exclusivity import Exclusivity
from heedful.losses.focus import FOCUS
from heedful.losses.initno import SelfConflict
from heedful.losses.loss import AnyLoss, Loss, Total, Weighted, citations_of, needs_self_attention, parts_of
from heedful.losses.normalise import PUBLISHED_SHARES, Preparation, TextShares, at_least_tiny, text_softmax
from heedful.losses.separability import Separability
from heedful.losses.suppression import Suppression
from heedful.losses.syngen import SynGen
from heedful.losses.wrong_tokens import WrongTokens

__all__ = [
    "CONFORM",
    "EBAMA",
    "FOCUS",
    "PUBLISHED_SHARES",
    "AnyLoss",
    "AttendAndExcite",
    "Bind",
    "DivideAndBind",
    "Elsewhere",
    "Evenness",
    "Exclusivity",
    "Loss",
    "OwnArea",
    "Preparation",
    "Retention",
    "Segregation",
    "SelfConflict",
    "Separability",
    "SeparateAndStrengthen",
    "Suppression",
    "SynGen",
    "TextShares",
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
