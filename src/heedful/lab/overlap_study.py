"""A-STAR's first observation: where the maps of two concepts overlap, one of them gets lost.

Is it so, and if so, can it be seen early? A-STAR's ratio is asked, and next to it Fisher's criterion, which also sees
how far apart the maps are and how far each is spread, and what is attended to where no concept is.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from heedful.guidance import methods
from heedful.lab.forecast import advantages, forecast, table
from heedful.lab.trial import Trial
from heedful.lab.watch import Seen, Watched, rounded
from heedful.losses import Preparation

MEASURES = {
    "overlap": methods.Segregation(),
    "overlap of shares": methods.Segregation(prepare=Preparation(normalisation="sum")),
    "inseparability": methods.Separability(sharpness=1.0),
    "inseparability, sharp": methods.Separability(sharpness=2.0),
    "elsewhere": methods.Elsewhere(),
}
"""Each is larger where concepts are less apart; the last, where a third location, not theirs, gets attention."""
MEANINGS = {
    "overlap": "A-STAR's ratio, sum of minima over sum of both maps as they are; 0 apart, 0.5 the same",
    "overlap of shares": "the same ratio of maps divided by their sums, so that only their locations count; 0 to 0.5",
    "inseparability": "W / (W + B), the share of the variance of location that does not tell concepts apart; 0 to 1",
    "inseparability, sharp": "the same of squared maps, in which faint attention counts less; 0 to 1",
    "elsewhere": "F / (F + N), the highest attention to any of the text far from both concepts and near them; 0 to 1",
}


def read(seen: Seen) -> dict[str, Any]:
    """Return each measure at every step."""
    return {name: rounded(loss(seen.maps, seen.prompts)) for name, loss in MEASURES.items()}


def figures(records: Sequence[Watched], trial: Trial) -> dict[str, Any]:
    """Return what the study found; see `forecast`. `advantage` compares each of Fisher's with A-STAR's ratio."""
    tables: dict[str, np.ndarray] = {name: table(records, name) for name in MEASURES}
    found = forecast(records, trial, tables, MEANINGS)
    found["advantage"] = {
        name: {"over": "overlap", "within": advantages(records, tables[name], tables["overlap"])}
        for name in MEASURES
        if name != "overlap"
    }
    return found
