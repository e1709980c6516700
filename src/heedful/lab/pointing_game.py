"""The pointing game: does the peak of a concept's map lie inside the object that was generated for it?

Plain sampling is watched, site by site and step by step, and the detector says afterwards where the objects are. Only
images count in which it finds every concept exactly once. One run serves three kinds of map: as it was read; smoothed,
as losses read it; and the mean of the smoothed ones over the run. Joint attention is read in three ways (`joint_maps`).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import SD3Transformer2DModel
from jaxtyping import Float
from torch import Tensor

from heedful.attention import ImagePipeline, Maps, Record, SiteSelection, capture, find_denoiser, smooth
from heedful.errors import SettingsError
from heedful.lab.by_prompt import ByPrompt
from heedful.lab.joint_maps import JointRecord, read_joint
from heedful.lab.records import Case, kept_records
from heedful.lab.trial import Trial, sample_cases
from heedful.prompts import Prompt
from heedful.scores import SHARE
from heedful.world import CANVAS, Detection, Detector, expectations

MEAN = "mean of the up sites at 8x8"
THIRDS = ("early", "middle", "late")
SIGMA = 0.5
"""Attend-and-Excite's smoothing (Chefer et al. 2023), in cells of the map, with a kernel of 3x3."""
KINDS = {"sites": "raw", "smoothed": "smoothed", "smoothed_mean": "smoothed, mean of the steps"}
"""What the peaks are taken of: a field of the figures, and how a table calls it."""

Peak = list[int]
"""Row and column of a cell."""


@dataclass(frozen=True)
class PointedObject:
    """One object of an image: its box in pixels, and for each site the peaks of its concept's maps."""

    name: str
    box: list[float]
    grids: dict[str, int]
    """The sides of the maps in cells."""
    peaks: dict[str, list[Peak]]
    """Peaks of the map as it was read, at every step."""
    smoothed: dict[str, list[Peak]]
    """Peaks of the smoothed map, at every step."""
    smoothed_mean: dict[str, Peak]
    """Peak of the mean of the smoothed maps of all steps."""


@dataclass(frozen=True)
class PointedImage:
    """The record of one image: its objects, or none where it does not hold each concept exactly once."""

    prompt: str
    seed: int
    objects: list[PointedObject]


def play(
    pipe: ImagePipeline,
    detector: Detector,
    trial: Trial,
    path: Path,
    on_images: Callable[[int, int], None] = lambda done, total: None,
) -> list[PointedImage]:
    """Generate every prompt with every seed, without guidance, and return what the maps of each image point at.

    Records are kept in the JSONL file `path`, so a killed game goes on; a file of other prompts, seeds or settings
    raises `SettingsError`, and so does a trial of fewer than 3 steps.
    """
    if trial.steps < len(THIRDS):
        raise SettingsError(f"Expected at least 3 steps, so that each third has one, got {trial.steps}. Take 20.")
    return kept_records(
        path,
        {"trial": asdict(trial), "maps": [*KINDS]},
        trial.cases,
        trial.batch,
        lambda prompt, seed, objects: PointedImage(prompt, seed, [PointedObject(**each) for each in objects]),
        lambda batch: _make(pipe, detector, trial, batch),
        same="these prompts, seeds, settings and kinds of map",
        on_images=on_images,
    )


def pointing_figures(images: Sequence[PointedImage]) -> dict[str, Any]:
    """Return the share of objects whose map peaks inside their box, by site: by step, by third of the run, and in all.

    - `sites`: figures of the maps as they were read.
    - `smoothed`: those of the smoothed maps.
    - `smoothed_mean`: those of their mean over all steps, which has no thirds.

    `chance` is the mean share of a site's cells whose centre lies in the box. `thirds` and `all` carry 95 % intervals
    over prompts. Every kind is empty if there are no objects.
    """
    pairs = [(image.prompt, each) for image in images for each in image.objects]
    if not pairs:
        return {"objects": 0, **{kind: {} for kind in KINDS}}
    by_prompt, objects = ByPrompt([prompt for prompt, _ in pairs]), [each for _, each in pairs]
    peaks: dict[str, Callable[[PointedObject, str], list[Peak]]] = {
        "sites": lambda each, site: each.peaks[site],
        "smoothed": lambda each, site: each.smoothed[site],
        "smoothed_mean": lambda each, site: [each.smoothed_mean[site]],
    }
    figures: dict[str, Any] = {"objects": len(objects), "prompts": by_prompt.count}
    for kind, peaks_of in peaks.items():
        figures[kind] = {
            site: _site_figures(by_prompt, objects, [peaks_of(each, site) for each in objects], site)
            for site in objects[0].grids
        }
    return figures


def once_each(prompt: str, detections: Sequence[Detection]) -> list[Detection] | None:
    """Return the detections of a prompt's concepts, in its order, if each is there exactly once; else None."""
    found = [[each for each in detections if each.name == concept.name] for concept in expectations(prompt)]
    return [each[0] for each in found] if all(len(each) == 1 for each in found) else None


def is_inside(row: int, column: int, side: int, box: Sequence[float]) -> bool:
    """Return whether the centre of a cell, on a grid of `side` x `side` over the image, lies in a pixel box."""
    x, y = (column + 0.5) * CANVAS / side, (row + 0.5) * CANVAS / side
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _make(pipe: ImagePipeline, detector: Detector, trial: Trial, batch: Sequence[Case]) -> list[PointedImage]:
    prompts = [Prompt.parse(text, pipe.tokenizer) for text, _ in batch]
    steps: list[dict[str, list[Tensor]]] = []
    denoiser = find_denoiser(pipe)
    assert denoiser is not None  # a world has one
    is_joint = isinstance(denoiser, SD3Transformer2DModel)
    with read_joint(denoiser) if is_joint else capture(denoiser, SiteSelection()) as record:

        def after_step(_pipe: ImagePipeline, _step: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            steps.append({site: maps.concepts(prompts) for site, maps in _maps_by_site(record, len(batch)).items()})
            return tensors

        images = sample_cases(pipe, trial, batch, callback_on_step_end=after_step)
    made: list[PointedImage] = []
    for item, ((text, seed), detections) in enumerate(zip(batch, detector(images), strict=True)):
        nouns = [concept.noun for concept in prompts[item].concepts]
        objects: list[PointedObject] = []
        for detection in once_each(text, detections) or []:
            concept = nouns.index(detection.name)
            # -> (step, height, width) for each site
            maps = {site: torch.stack([step[site][item][concept] for step in steps]) for site in steps[0]}
            smoothed = {site: smooth(each[None], SIGMA)[0] for site, each in maps.items()}
            objects.append(
                PointedObject(
                    detection.name,
                    [round(side, 1) for side in detection.box],
                    {site: each.shape[-1] for site, each in maps.items()},
                    {site: [_peak(one) for one in each] for site, each in maps.items()},
                    {site: [_peak(one) for one in each] for site, each in smoothed.items()},
                    {site: _peak(each.mean(0)) for site, each in smoothed.items()},
                )
            )
        made.append(PointedImage(text, seed, objects))
    return made


def _maps_by_site(record: Record | JointRecord, images: int) -> dict[str, Maps]:
    """Return the conditional rows of every site's maps, which come last, and of the mean of the up sites at 8x8."""
    maps = {site: Maps(tokens[-images:]) for site, tokens in record.items()}
    up = [each.tokens for site, each in maps.items() if site.startswith("up_blocks") and each.size == (8, 8)]
    return maps | ({MEAN: Maps.mean(up)} if up else {})


def _peak(one: Float[Tensor, "height width"]) -> Peak:
    return list(divmod(int(one.argmax()), one.shape[1]))


def _site_figures(
    by_prompt: ByPrompt, objects: Sequence[PointedObject], peaks: Sequence[Sequence[Peak]], site: str
) -> dict[str, Any]:
    side = objects[0].grids[site]
    pairs = zip(objects, peaks, strict=True)
    hits = np.array([[is_inside(peak[0], peak[1], side, each.box) for peak in own] for each, own in pairs], dtype=float)
    cells = [(row, column) for row in range(side) for column in range(side)]
    covered = [np.mean([is_inside(cell[0], cell[1], side, each.box) for cell in cells]) for each in objects]

    def share(of: np.ndarray) -> dict[str, float]:
        found = by_prompt.mean(of.mean(axis=1), within=SHARE)
        assert found is not None  # there are objects
        return {"value": found.value, "low": found.low, "high": found.high}

    figures: dict[str, Any] = {"cells": side, "chance": float(np.mean(covered)), "all": share(hits)}
    if hits.shape[1] == 1:  # one map for the whole run
        return figures
    parts = np.array_split(np.arange(hits.shape[1]), len(THIRDS))
    figures["thirds"] = {third: share(hits[:, part]) for third, part in zip(THIRDS, parts, strict=True)}
    figures["by_step"] = [round(float(value), 4) for value in hits.mean(axis=0)]
    return figures
