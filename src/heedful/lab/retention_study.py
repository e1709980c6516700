"""A-STAR's second observation: what the first steps see of a concept is not kept until the last.

The study asks three things. Do images that fail keep less? In an image that lacks one of two concepts, was the missing
one attended to as strongly as the other at first, and kept less later? And does that predict the failure?
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from heedful.lab.by_prompt import ByPrompt
from heedful.lab.forecast import forecast, onset, plain, table
from heedful.lab.trial import Trial
from heedful.lab.watch import Seen, Watched, rounded
from heedful.losses import at_least_tiny, high_cells, overlap
from heedful.scores import SHARE, Estimate

EARLY = 0.2
"""The first fifth of the steps, whose mean map is what the beginning saw."""
MEANINGS = {
    "lost": "A-STAR's retention loss against the cells that were above the mean at the step before; 0.5 to 1",
    "forgotten": "the same against the cells above the mean of the first fifth of the steps; 0.5 to 1",
    "drift": "1 less the correlation of the map with that of the first fifth of the steps; 0 to 2",
    "faintness": "1 less the map's maximum; 0 to 1",
}
"""Each is larger where less is kept. Kept for each concept; of an image, the mean, and of faintness the largest."""


def read(seen: Seen) -> dict[str, Any]:
    """Return each measure as (step, concept); None before there is something to keep."""
    maps = seen.maps.group(seen.prompts).maps  # -> (step, concept, height, width)
    early = early_steps(len(maps))
    first = maps[:early].mean(0, keepdim=True)
    scaled = maps / at_least_tiny(maps.amax((-2, -1), keepdim=True))
    kept_before = overlap(scaled[1:], high_cells(scaled[:-1]).to(maps), "paper")
    kept_early = overlap(scaled[early:], high_cells(first).to(maps).expand_as(scaled[early:]), "paper")
    return {
        "lost": rounded(_late(1 - kept_before, len(maps))),
        "forgotten": rounded(_late(1 - kept_early, len(maps))),
        "drift": rounded(_late(1 - _correlation(maps[early:], first), len(maps))),
        "faintness": rounded(1 - maps.amax((-2, -1))),
    }


def early_steps(steps: int) -> int:
    """Return how many steps are the beginning: a fifth, at least one."""
    return max(1, int(EARLY * steps))


def figures(records: Sequence[Watched], trial: Trial) -> dict[str, Any]:
    """Return what the study found; see `forecast`, and for `missing` see `missing_figures`."""
    by_concept = {name: table(records, name) for name in MEANINGS}  # -> (image, step, concept)
    tables = {
        name: values.max(axis=2) if name == "faintness" else values.mean(axis=2) for name, values in by_concept.items()
    }
    return {
        "early_steps": early_steps(trial.steps),
        **forecast(records, trial, tables, MEANINGS),
        "missing": missing_figures(records, by_concept),
    }


def missing_figures(records: Sequence[Watched], by_concept: dict[str, np.ndarray]) -> dict[str, Any]:
    """Compare, in images that hold exactly one of their two concepts, the missing one with the one that is there.

    The figures are by step: how often the missing one has the larger value (ties half), and the mean difference.
    Everything else of the image is the same for both.
    """
    chosen = [i for i, record in enumerate(records) if len(record.found) == 2 and sorted(record.found)[0] == 0]
    chosen = [i for i in chosen if max(records[i].found) > 0]
    if not chosen:
        return {"images": 0, "measures": {}}
    by_prompt = ByPrompt([records[i].prompt for i in chosen])
    absent = np.array([records[i].found.index(0) for i in chosen])
    rows = np.arange(len(chosen))
    measures: dict[str, Any] = {}
    for name, values in by_concept.items():
        difference = values[chosen][rows, :, absent] - values[chosen][rows, :, 1 - absent]  # -> (image, step)
        larger = np.where(np.isnan(difference), np.nan, (difference > 0) + 0.5 * (difference == 0))
        shares: list[Estimate | None] = [by_prompt.mean(column, within=SHARE) for column in larger.T]
        measures[name] = {
            "share": [plain(each) for each in shares],
            "difference": [plain(by_prompt.mean(column)) for column in difference.T],
            "onset": onset(shares),
        }
    return {"images": len(chosen), "prompts": by_prompt.count, "measures": measures}


def _late(values: torch.Tensor, steps: int) -> torch.Tensor:
    """Return values of the last steps as values of all steps, NaN before."""
    before = values.new_full((steps - len(values), *values.shape[1:]), torch.nan)
    return torch.cat([before, values])


def _correlation(maps: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
    """Return Pearson's correlation over the cells: (step, concept)."""
    centred, target = (each - each.mean((-2, -1), keepdim=True) for each in (maps, first))
    norms = centred.square().sum((-2, -1)).sqrt() * target.square().sum((-2, -1)).sqrt()
    return (centred * target).sum((-2, -1)) / at_least_tiny(norms)
