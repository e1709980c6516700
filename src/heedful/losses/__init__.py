"""Pure functions of maps, one paper per file. Knows no model and no pipeline."""

from heedful.losses.a_star import Retention, Segregation
from heedful.losses.attend_and_excite import AttendAndExcite
from heedful.losses.loss import AnyLoss, Loss, Total, Weighted, citations_of
from heedful.losses.masks import high_cells
from heedful.losses.normalise import text_softmax
from heedful.losses.wrong_tokens import WrongTokens

__all__ = [
    "AnyLoss",
    "AttendAndExcite",
    "Loss",
    "Retention",
    "Segregation",
    "Total",
    "Weighted",
    "WrongTokens",
    "citations_of",
    "high_cells",
    "text_softmax",
]
