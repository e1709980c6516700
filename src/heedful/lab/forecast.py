"""How well a number that is read at each step predicts what will be wrong with the image, and from which step on.

Every number here is larger where its hypothesis expects a worse image, so an area under the ROC curve (AUC) above 0.5
supports the hypothesis, one below contradicts it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from heedful.lab.by_prompt import ByPrompt
from heedful.lab.records import FAULTS
from heedful.lab.trial import Trial
from heedful.lab.watch import Watched
from heedful.scores import SHARE, Estimate

OUTCOMES = ("failure", "neglect", "duplicate")
"""What is predicted: any fault, a missing concept, a concept that is there twice; each against successes."""
GROUPS = ("success", "neglect", "duplicate")
"""The images whose means are drawn; an image with both faults is in both groups."""


def forecast(
    records: Sequence[Watched], trial: Trial, measures: dict[str, np.ndarray], meanings: dict[str, str]
) -> dict[str, Any]:
    """Return, as plain JSON values, the course of each measure by group, its AUCs and its onset.

    `measures` are (image, step), with NaN at steps that have no value. AUCs are given over all pairs of images and
    `within` prompts. The onset is the first step from which on the interval lies above 0.5 at every later step.
    """
    by_prompt = ByPrompt([record.prompt for record in records])
    is_in = {name: np.array([getattr(record, name) for record in records]) for name in ("success", *FAULTS)}
    is_in["failure"] = ~is_in["success"]
    right = is_in["success"]
    return {
        "images": len(records),
        "prompts": by_prompt.count,
        "seeds": list(trial.seeds),
        "steps": trial.steps,
        "guidance_scale": trial.guidance_scale,
        "shares": {name: plain(by_prompt.mean(chosen.astype(float), within=SHARE)) for name, chosen in is_in.items()},
        "pairs": {name: _pairs(by_prompt, is_in[name], right) for name in OUTCOMES},
        "measures": {
            name: {
                "meaning": meanings[name],
                "courses": {
                    group: [plain(by_prompt.mean(column, is_in[group])) for column in values.T] for group in GROUPS
                },
                "all": {
                    outcome: _by_step([by_prompt.auc(column, is_in[outcome], right) for column in values.T])
                    for outcome in OUTCOMES
                },
                "within": {
                    outcome: _by_step([by_prompt.auc_within(column, is_in[outcome], right) for column in values.T])
                    for outcome in OUTCOMES
                },
            }
            for name, values in measures.items()
        },
    }


def advantages(
    records: Sequence[Watched], values: np.ndarray, others: np.ndarray
) -> dict[str, list[dict[str, Any] | None]]:
    """Return, by outcome and step, how much higher the AUC within prompts of one measure is than that of another."""
    by_prompt = ByPrompt([record.prompt for record in records])
    right = np.array([record.success for record in records])
    found: dict[str, list[dict[str, Any] | None]] = {}
    for outcome in OUTCOMES:
        worse = ~right if outcome == "failure" else np.array([getattr(record, outcome) for record in records])
        pairs = zip(values.T, others.T, strict=True)
        found[outcome] = [plain(by_prompt.advantage_within(one, other, worse, right)) for one, other in pairs]
    return found


def onset(by_step: Sequence[Estimate | None]) -> int | None:
    """Return the first step from which on every interval lies above 0.5; None if the last one does not."""
    first = None
    for step in reversed(range(len(by_step))):
        figure = by_step[step]
        if figure is None or figure.low <= 0.5:
            break
        first = step
    return first


def plain(figure: Estimate | None) -> dict[str, Any] | None:
    """Return a figure as a JSON value with five digits."""
    if figure is None:
        return None
    numbers = {name: round(getattr(figure, name), 5) for name in ("value", "low", "high")}
    return {**numbers, "count": figure.count}


def table(records: Sequence[Watched], name: str) -> np.ndarray:
    """Return what the records say under a name as an array, image first; NaN where there is no value."""
    return np.array([record.values[name] for record in records], dtype=float)


def _by_step(found: list[Estimate | None]) -> dict[str, Any]:
    return {"by_step": [plain(each) for each in found], "onset": onset(found)}


def _pairs(by_prompt: ByPrompt, worse: np.ndarray, better: np.ndarray) -> dict[str, int]:
    """Count images and pairs, and the prompts that have a pair of their own."""
    bad, good = (np.bincount(by_prompt.index[chosen], minlength=by_prompt.count) for chosen in (worse, better))
    return {
        "images": int(bad.sum()),
        "pairs": int(bad.sum() * good.sum()),
        "within": int((bad * good).sum()),
        "prompts": int((bad * good > 0).sum()),
    }
