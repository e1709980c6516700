"""The pointing game: does the peak of a concept's map lie inside the object that was painted for it?

Plain sampling is watched, site by site and step by step, and the detector says afterwards where the objects are. Only
images count in which it finds every concept exactly once. One run serves three kinds of map: as it was read; smoothed,
as losses read it; and the mean of the smoothed ones over the run. Joint attention is read in three ways (`joint_maps`).
Knows peaks and boxes; guides nothing.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import SD3Transformer2DModel
from jaxtyping import Float
from torch import Tensor

from heedful.attention import Maps, Record, SiteSelection, capture, find_denoiser, smooth
from heedful.errors import SettingsError
from heedful.files import write_atomic
from heedful.lab.joint_maps import JointRecord, read_joint
from heedful.lab.trial import Trial, paint
from heedful.prompts import Prompt
from heedful.world import CANVAS, Box, Detection, Detector, expectations

MEAN = "mean of the up sites at 8x8"
THIRDS = ("early", "middle", "late")
SIGMA = 0.5
"""Of the smoothing, in cells of the map, with a kernel of 3x3: Attend-and-Excite's (Chefer et al. 2023)."""
KINDS = {"sites": "raw", "smoothed": "smoothed", "smoothed_mean": "smoothed, mean of the steps"}
"""What the peaks are taken of: a field of the figures, and how a table calls it."""
_RESAMPLES = 10_000


@dataclass(frozen=True)
class Pointed:
    """One object of one image: its box in pixels, and for each site the peaks of its concept's maps.

    A peak is (row, column) of a cell; `grids` are the sides of the maps in cells.
    """

    prompt: str
    seed: int
    name: str
    box: tuple[float, float, float, float]
    grids: dict[str, int]
    peaks: dict[str, list[tuple[int, int]]]
    """Of the map as it was read, at every step."""
    smoothed: dict[str, list[tuple[int, int]]]
    """Of the smoothed map, at every step."""
    smoothed_mean: dict[str, tuple[int, int]]
    """Of the mean of the smoothed maps of all steps."""


def play(
    pipe: Any,
    detector: Detector,
    trial: Trial,
    path: Path,
    on_images: Callable[[int, int], None] = lambda done, total: None,
) -> list[Pointed]:
    """Paint every prompt with every seed, unguided, and return the objects of those images that hold each concept once.

    They are kept in the JSONL file `path`, so a killed game goes on; a file of other prompts, seeds or settings raises
    `SettingsError`, and so does a trial of fewer than 3 steps.
    """
    if trial.steps < len(THIRDS):
        raise SettingsError(f"Expected at least 3 steps, so that each third has one, got {trial.steps}. Take 20.")
    cases = trial.cases
    head = {"trial": {**asdict(trial), "prompts": list(trial.prompts), "seeds": list(trial.seeds)}, "maps": [*KINDS]}
    done, objects = _read(path, head)
    for start in range(done, len(cases), trial.batch):
        batch = cases[start : start + trial.batch]
        objects += _watch(pipe, detector, trial, batch)
        done = start + len(batch)
        lines = [head | {"images": done}, *(asdict(each) for each in objects)]
        write_atomic(path, "".join(json.dumps(line) + "\n" for line in lines))
        on_images(done, len(cases))
    on_images(len(cases), len(cases))
    return objects


def pointing_figures(objects: Sequence[Pointed], seed: int = 0) -> dict[str, Any]:
    """The share of objects whose map peaks inside their box, for each site: by step, by third of the run, and in all.

    `sites` has the figures of the maps as they were read, `smoothed` those of the smoothed ones, and `smoothed_mean`
    those of their mean over all steps, which has no thirds. `chance` is the mean share of a site's cells whose centre
    lies in the box. `thirds` and `all` carry 95 % intervals that resample prompts (10 000 times). Empty if there are no
    objects.
    """
    if not objects:
        return {"objects": 0, **{kind: {} for kind in KINDS}}
    peaks: dict[str, Callable[[Pointed, str], Sequence[tuple[int, int]]]] = {
        "sites": lambda each, site: each.peaks[site],
        "smoothed": lambda each, site: each.smoothed[site],
        "smoothed_mean": lambda each, site: [each.smoothed_mean[site]],
    }
    figures: dict[str, Any] = {"objects": len(objects), "prompts": len({each.prompt for each in objects})}
    for kind, peaks_of in peaks.items():
        figures[kind] = {
            site: _site_figures(objects, [peaks_of(each, site) for each in objects], site, seed)
            for site in objects[0].grids
        }
    return figures


def pointing_table(figures: dict[str, Any]) -> str:
    """The figures as a Markdown table, a site and kind of map a row, best first."""
    lines = ["| site | maps | cells | chance | early | middle | late | all steps [95 %] |", f"|{'---|' * 8}"]
    rows = [(site, says, row) for kind, says in KINDS.items() for site, row in figures.get(kind, {}).items()]
    for site, says, row in sorted(rows, key=lambda each: -each[2]["all"]["value"]):
        thirds = " | ".join(f"{row['thirds'][third]['value']:.2f}" if "thirds" in row else "" for third in THIRDS)
        whole = "{value:.3f} [{low:.3f}, {high:.3f}]".format(**row["all"])
        lines.append(f"| {site} | {says} | {row['cells']}x{row['cells']} | {row['chance']:.2f} | {thirds} | {whole} |")
    return "\n".join(lines) + "\n"


def once_each(prompt: str, detections: Sequence[Detection]) -> list[Detection] | None:
    """The detections of a prompt's concepts, in its order, if each is there exactly once; whatever else is there."""
    found = [[each for each in detections if each.name == concept.name] for concept in expectations(prompt)]
    return [each[0] for each in found] if all(len(each) == 1 for each in found) else None


def is_inside(row: int, column: int, side: int, box: Box) -> bool:
    """Whether the centre of a cell, on a grid of `side` x `side` over the picture, lies in a pixel box."""
    x, y = (column + 0.5) * CANVAS / side, (row + 0.5) * CANVAS / side
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _watch(pipe: Any, detector: Detector, trial: Trial, batch: Sequence[tuple[str, int]]) -> list[Pointed]:
    prompts = [Prompt.parse(text, pipe.tokenizer) for text, _ in batch]
    steps: list[dict[str, list[Tensor]]] = []
    denoiser = find_denoiser(pipe)
    assert denoiser is not None  # a world has one
    is_joint = isinstance(denoiser, SD3Transformer2DModel)
    with read_joint(denoiser) if is_joint else capture(denoiser, SiteSelection()) as record:

        def after_step(_pipe: Any, _step: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            steps.append({site: maps.concepts(prompts) for site, maps in _maps_by_site(record, len(batch)).items()})
            return tensors

        pictures = paint(pipe, trial, batch, callback_on_step_end=after_step)
    objects: list[Pointed] = []
    found = detector(pictures)
    for item, ((text, seed), detections) in enumerate(zip(batch, found, strict=True)):
        located = once_each(text, detections)
        if located is None:
            continue
        places = [concept.noun for concept in prompts[item].concepts]
        for detection in located:
            place = places.index(detection.name)
            # -> (step, height, width) for each site
            maps = {site: torch.stack([step[site][item][place] for step in steps]) for site in steps[0]}
            smoothed = {site: smooth(each[None], SIGMA)[0] for site, each in maps.items()}
            objects.append(
                Pointed(
                    text,
                    seed,
                    detection.name,
                    tuple(round(side, 1) for side in detection.box),  # pyright: ignore[reportArgumentType]
                    {site: each.shape[-1] for site, each in maps.items()},
                    {site: [_peak(one) for one in each] for site, each in maps.items()},
                    {site: [_peak(one) for one in each] for site, each in smoothed.items()},
                    {site: _peak(each.mean(0)) for site, each in smoothed.items()},
                )
            )
    return objects


def _maps_by_site(record: Record | JointRecord, images: int) -> dict[str, Maps]:
    """The conditional rows of every site's maps, which come last, and of the mean of the up sites at 8x8."""
    maps = {site: Maps(tokens[-images:]) for site, tokens in record.items()}
    up = [each.tokens for site, each in maps.items() if site.startswith("up_blocks") and each.size == (8, 8)]
    return maps | ({MEAN: Maps.mean(up)} if up else {})


def _peak(one: Float[Tensor, "height width"]) -> tuple[int, int]:
    row, column = divmod(int(one.argmax()), one.shape[1])
    return row, column


def _site_figures(
    objects: Sequence[Pointed], peaks: Sequence[Sequence[tuple[int, int]]], site: str, seed: int
) -> dict[str, Any]:
    side = objects[0].grids[site]
    hits = np.array(
        [[is_inside(*peak, side, each.box) for peak in own] for each, own in zip(objects, peaks, strict=True)],
        dtype=float,
    )
    cells = [(row, column) for row in range(side) for column in range(side)]
    covered = [np.mean([is_inside(*cell, side, each.box) for cell in cells]) for each in objects]
    prompts = np.unique([each.prompt for each in objects], return_inverse=True)[1]
    figures: dict[str, Any] = {
        "cells": side,
        "chance": float(np.mean(covered)),
        "all": _share(hits.mean(axis=1), prompts, seed),
    }
    if hits.shape[1] == 1:  # one map for the whole run
        return figures
    parts = np.array_split(np.arange(hits.shape[1]), len(THIRDS))
    figures["thirds"] = {
        third: _share(hits[:, part].mean(axis=1), prompts, seed) for third, part in zip(THIRDS, parts, strict=True)
    }
    figures["by_step"] = [round(float(share), 4) for share in hits.mean(axis=0)]
    return figures


def _share(values: np.ndarray, prompts: np.ndarray, seed: int) -> dict[str, float]:
    """Mean over objects with an interval that resamples prompts, which have different numbers of objects."""
    sums, counts = np.bincount(prompts, values), np.bincount(prompts)
    drawn = np.random.default_rng(seed).integers(0, len(counts), (_RESAMPLES, len(counts)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), (2.5, 97.5))
    return {"value": float(values.mean()), "low": float(low), "high": float(high)}


def _read(path: Path, head: dict[str, Any]) -> tuple[int, list[Pointed]]:
    """The number of images that are done, and their objects."""
    if not path.exists():
        return 0, []
    first, *lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    images = first.pop("images")
    if first != head:
        raise SettingsError(
            f"Expected a pointing game of these prompts, seeds, settings and kinds of map in {path}, got another. "
            "Choose another folder, or delete the file."
        )
    return images, [_pointed(line) for line in lines]


def _pointed(line: dict[str, Any]) -> Pointed:
    by_step = {
        kind: {site: [(row, column) for row, column in each] for site, each in line[kind].items()}
        for kind in ("peaks", "smoothed")
    }
    mean = {site: (row, column) for site, (row, column) in line["smoothed_mean"].items()}
    return Pointed(**line | {"box": tuple(line["box"]), **by_step, "smoothed_mean": mean})
