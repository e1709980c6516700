"""The first idea behind heedful: the more evenly attention lies on an object, the better the object.

The study asks twice. Among objects, plain and guided: does evenness go with quality, once size is accounted for, and
within the same concept of the same prompt? And causally: guide with evenness alone, towards it and away from it, from
the same noise, against steps as long in a random direction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from heedful.guidance import EMBEDDED, NONE, Method, methods
from heedful.lab.by_prompt import ByPrompt
from heedful.lab.evenness_objects import AREAS, THIRDS, UNEVENNESS
from heedful.lab.forecast import plain
from heedful.lab.records import FAULTS
from heedful.lab.trial import Trial, success_table
from heedful.lab.watch import Watched
from heedful.losses import Evenness
from heedful.scores import compare

STEERING = replace(EMBEDDED, step_size=0.06, step_rule="rms")
"""Steps of one length in all directions, so that more, less and random differ in where they go alone."""
MORE_EVEN = Method(name="more-even", loss=Evenness(), embedded=STEERING)
LESS_EVEN = Method(name="less-even", loss=-1.0 * Evenness(), embedded=STEERING)
RANDOM_STEPS = Method(name="random-steps", loss=Evenness(), embedded=STEERING, direction="random")
OBSERVED = (NONE, methods.ATTEND_AND_EXCITE)
CAUSAL = (MORE_EVEN, LESS_EVEN, RANDOM_STEPS)
QUALITIES = {"confidence": "the detector's confidence", "nearness": "minus the distance to the nearest render"}
CONTROLS = {
    "none": "all objects together",
    "size": "the areas of the object's box and of the measured cells regressed out",
    "size, within concepts": "the same, and only objects of the same concept of the same prompt compared",
}
PRIMARY = {"measure": "entropy", "third": "middle", "control": "size, within concepts"}
"""Chosen before anything was measured; the other combinations are there to show how much depends on the choice."""
_FIFTHS = 5


@dataclass(frozen=True)
class Objects:
    """The objects of several images as columns."""

    prompts: list[str]
    concepts: list[str]
    """Prompt, and position in it."""
    confidence: np.ndarray
    nearness: np.ndarray
    """NaN where it is not known."""
    size: np.ndarray
    rows: list[dict[str, Any]]

    def column(self, *keys: str, third: int) -> np.ndarray:
        """Return a value that every object has by area and third."""
        found: list[float] = []
        for row in self.rows:
            value: Any = row
            for key in keys:
                value = value[key]
            found.append(value[third])
        return np.array(found, dtype=float)


def figures(records: Mapping[str, Sequence[Watched]], trial: Trial) -> dict[str, Any]:
    """Return what the study found, as plain JSON values. Correlations above 0 support the idea."""
    return {
        "images": len(records[NONE.name]),
        "prompts": len(trial.prompts),
        "seeds": list(trial.seeds),
        "steps": trial.steps,
        "guidance_scale": trial.guidance_scale,
        "settings": repr(STEERING),
        "primary": PRIMARY,
        "qualities": QUALITIES,
        "controls": CONTROLS,
        "observed": {method.name: _observed(records[method.name]) for method in OBSERVED},
        "causal": {method.name: _effect(records[NONE.name], records[method.name], trial) for method in CAUSAL},
        "against_random": {
            method.name: _effect(records[RANDOM_STEPS.name], records[method.name], trial)
            for method in (MORE_EVEN, LESS_EVEN)
        },
    }


def gather(records: Sequence[Watched]) -> Objects:
    """Return all objects of some images as columns."""
    rows = [(record.prompt, each) for record in records for each in record.values["objects"]]
    nearness = [np.nan if each["distance"] is None else -each["distance"] for _, each in rows]
    return Objects(
        [prompt for prompt, _ in rows],
        [f"{prompt} {each['concept']}" for prompt, each in rows],
        np.array([each["confidence"] for _, each in rows], dtype=float),
        np.array(nearness, dtype=float),
        np.array([each["size"] for _, each in rows], dtype=float),
        [each for _, each in rows],
    )


def _observed(records: Sequence[Watched]) -> dict[str, Any]:
    """Correlations of evenness and quality, their course by fifths, and how alike the three measures are."""
    correlations = []
    for area in AREAS:
        for third, name in enumerate(THIRDS):
            objects = gather([_with_cells(record, area, third) for record in records])
            cells = objects.column("cells", area, third=third)
            for measure in UNEVENNESS:
                evenness = -objects.column("unevenness", area, measure, third=third)
                labels = {"area": area, "third": name, "measure": measure}
                correlations += [labels | each for each in _correlations(objects, evenness, cells)]
    objects = gather(records)
    return {
        "objects": len(objects.rows),
        "rendered": int((~np.isnan(objects.nearness)).sum()),
        "correlations": correlations,
        "alike": _alike(records),
        "fifths": {area: _fifths(records, area) for area in AREAS},
    }


def _with_cells(record: Watched, area: str, third: int) -> Watched:
    """The record with those objects alone that have two cells or more: on one cell, everything is even."""
    kept = [each for each in record.values["objects"] if each["cells"][area][third] > 1]
    return replace(record, values=record.values | {"objects": kept})


def _correlations(objects: Objects, evenness: np.ndarray, cells: np.ndarray) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for quality in QUALITIES:
        values: np.ndarray = getattr(objects, quality)
        there = ~np.isnan(values)
        if not there.any():
            continue
        by_prompt = ByPrompt([prompt for prompt, is_there in zip(objects.prompts, there, strict=True) if is_there])
        sizes = (objects.size[there], cells[there])
        concepts = np.array(objects.concepts)[there].tolist()
        for control in CONTROLS:
            figure = by_prompt.correlation(
                evenness[there],
                values[there],
                () if control == "none" else sizes,
                concepts if control == "size, within concepts" else None,
            )
            found.append({"quality": quality, "control": control, **(plain(figure) or {"value": None})})
    return found


def _alike(records: Sequence[Watched]) -> dict[str, dict[str, float | None]]:
    """Rank correlations between the measures, by area, in the primary third."""
    third = THIRDS.index(PRIMARY["third"])
    found: dict[str, dict[str, float | None]] = {}
    for area in AREAS:
        objects = gather([_with_cells(record, area, third) for record in records])
        if not objects.rows:
            found[area] = {}
            continue
        by_prompt = ByPrompt(objects.prompts)
        columns = {measure: objects.column("unevenness", area, measure, third=third) for measure in UNEVENNESS}
        pairs = [(one, other) for i, one in enumerate(UNEVENNESS) for other in UNEVENNESS[i + 1 :]]
        figures = {f"{one} and {other}": by_prompt.correlation(columns[one], columns[other]) for one, other in pairs}
        found[area] = {pair: None if figure is None else round(figure.value, 4) for pair, figure in figures.items()}
    return found


def _fifths(records: Sequence[Watched], area: str) -> dict[str, Any]:
    """Mean quality by fifths of evenness, from the least even, by the primary measure."""
    third = THIRDS.index(PRIMARY["third"])
    objects = gather([_with_cells(record, area, third) for record in records])
    if len(objects.rows) < _FIFTHS:
        return {}
    evenness = -objects.column("unevenness", area, PRIMARY["measure"], third=third)
    by_prompt = ByPrompt(objects.prompts)
    parts = np.array_split(np.argsort(evenness, kind="stable"), _FIFTHS)
    found: dict[str, Any] = {"evenness": [round(float(evenness[part].mean()), 5) for part in parts]}
    for quality in QUALITIES:
        values: np.ndarray = getattr(objects, quality)
        masks = [np.isin(np.arange(len(values)), part) & ~np.isnan(values) for part in parts]
        found[quality] = [plain(by_prompt.mean(np.nan_to_num(values), mask)) for mask in masks]
    return found


def _effect(before: Sequence[Watched], after: Sequence[Watched], trial: Trial) -> dict[str, Any]:
    """What guidance changed, paired by prompt and seed.

    `loss` is the evenness loss over the guided half of the steps: whether the guidance did what it was told. Confidence
    is the mean over the concepts, 0 for a missing one; `nearness` and `unevenness` are of concepts that are there both
    times.
    """

    def paired(name: str) -> dict[str, Any]:
        tables = [success_table(side, trial, name) for side in (before, after)]
        found = compare(tables[0], tables[1])
        return {
            "before": round(float(tables[0].mean()), 5),
            "after": round(float(tables[1].mean()), 5),
            "difference": plain(found.difference),
            "gained": found.gained,
            "lost": found.lost,
            "p_value": round(found.p_value, 5),
        }

    by_prompt = ByPrompt([record.prompt for record in before])

    def changed(values: Callable[[Watched], float]) -> dict[str, Any]:
        first, last = (np.array([values(record) for record in side]) for side in (before, after))
        return {"before": round(float(first.mean()), 5), "difference": plain(by_prompt.mean(last - first))}

    guided = STEERING.guided_steps(trial.steps)
    return {
        **{name: paired(name) for name in ("success", *FAULTS)},
        "loss": changed(lambda record: float(np.mean(record.values["loss"][:guided]))),
        "confidence": changed(_confidence),
        **_of_both(before, after),
    }


def _confidence(record: Watched) -> float:
    return sum(each["confidence"] for each in record.values["objects"]) / len(record.found)


def _of_both(before: Sequence[Watched], after: Sequence[Watched]) -> dict[str, Any]:
    """Differences of the objects whose concept is there before and after."""
    third = THIRDS.index(PRIMARY["third"])
    prompts: list[str] = []
    nearness: list[float] = []
    uneven: dict[str, list[float]] = {area: [] for area in AREAS}
    for one, other in zip(before, after, strict=True):
        later = {each["concept"]: each for each in other.values["objects"]}
        for each in one.values["objects"]:
            match = later.get(each["concept"])
            if match is None:
                continue
            prompts.append(one.prompt)
            distances = (each["distance"], match["distance"])
            nearness.append(np.nan if None in distances else distances[0] - distances[1])
            for area in AREAS:
                pair = [side["unevenness"][area][PRIMARY["measure"]][third] for side in (match, each)]
                uneven[area].append(pair[0] - pair[1])
    if not prompts:
        return {}
    by_prompt, near = ByPrompt(prompts), np.array(nearness)
    there = ~np.isnan(near)
    return {
        "nearness": {"difference": plain(by_prompt.mean(np.nan_to_num(near), there))},
        **{f"unevenness in {area}": {"difference": plain(by_prompt.mean(np.array(uneven[area])))} for area in AREAS},
    }
