"""What losses on maps are made of, and those that no method owns.

A loss is a pure function of maps. That of a paper lies with the paper's numbers: in `heedful.methods`, or in
`heedful.teaching_methods`.
"""

from heedful.losses.areas import OwnArea, Threshold, cell_positions, high_cells
from heedful.losses.divergences import jensen_shannon, symmetric_kl
from heedful.losses.evenness import Evenness, unevenness
from heedful.losses.exclusivity import Exclusivity
from heedful.losses.loss import (
    AnyLoss,
    Handover,
    Loss,
    Total,
    Weighted,
    citations_of,
    loss_at,
    needs_self_attention,
    parts_of,
)
from heedful.losses.normalise import PUBLISHED_SHARES, Preparation, TextShares, at_least_tiny, text_softmax
from heedful.losses.overlap import Ratio, overlap
from heedful.losses.suppression import Suppression
from heedful.losses.words import Pair, distributions, missing_modifiers, missing_pair, outside, sum_over_pairs

__all__ = [
    "PUBLISHED_SHARES",
    "AnyLoss",
    "Evenness",
    "Exclusivity",
    "Handover",
    "Loss",
    "OwnArea",
    "Pair",
    "Preparation",
    "Ratio",
    "Suppression",
    "TextShares",
    "Threshold",
    "Total",
    "Weighted",
    "at_least_tiny",
    "cell_positions",
    "citations_of",
    "distributions",
    "high_cells",
    "jensen_shannon",
    "loss_at",
    "missing_modifiers",
    "missing_pair",
    "needs_self_attention",
    "outside",
    "overlap",
    "parts_of",
    "sum_over_pairs",
    "symmetric_kl",
    "text_softmax",
    "unevenness",
]
