"""The figures of the embedded model's card: how well it generates one, two and three concepts, how good its judge is.

Everything is measured on prompts x seeds or on renders that training never drew.
"""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from heedful.attention import ImagePipeline
from heedful.errors import SettingsError
from heedful.guidance import NONE
from heedful.lab.records import FAULTS
from heedful.lab.trial import Trial, TrialRecord, run_trial, success_table
from heedful.scores import estimate, intersection_over_union
from heedful.world import (
    APART,
    NATURAL,
    Box,
    Detection,
    Detector,
    Scene,
    Style,
    box,
    expectations,
    is_held_out,
    prompt_kind,
    random_scene,
    render,
    single_concept_prompts,
    three_concept_prompts,
    two_concept_prompts,
)
from heedful.world.training import to_images, to_tensor

STEPS = 20
"""Denoising steps of every row, unless another number is asked for."""
HELD_OUT_SEED = 77_000_000
SAME_LOCATION = 0.3


def painting_figures(
    pipe: ImagePipeline,
    detector: Detector,
    folder: Path,
    seeds: dict[str, int],
    on_images: Callable[[str, int, int], None] = lambda suite, done, total: None,
    *,
    single_steps: Sequence[int] = (STEPS,),
    every: int = 1,
) -> dict[str, Any]:
    """Return success and faults of plain sampling (guidance scale 3) on single, two and three concepts.

    - `folder`: where records go; they are resumed.
    - `seeds`: how many seeds each suite (`single`, `two`, `three`) gets.
    - `single_steps`: the numbers of denoising steps of single concepts, each from the same noise. Their figures are
      `single`, or `single-30` for 30 instead of 20; the other suites take 20.
    - `every`: 2 takes every second prompt, and so on.

    Raises `SettingsError` for a number of steps below 1 or that comes twice.
    """
    rows = {
        row_name("single", steps): (single_concept_prompts(), seeds.get("single", 0), steps) for steps in single_steps
    }
    if len(rows) != len(single_steps) or min(single_steps, default=1) < 1:
        raise SettingsError(f"Expected different numbers of steps, each 1 or more, got {tuple(single_steps)}.")
    rows["two"] = two_concept_prompts(), seeds.get("two", 0), STEPS
    rows["three"] = three_concept_prompts(), seeds.get("three", 0), STEPS
    figures: dict[str, Any] = {}
    for name, (prompts, count, steps) in rows.items():
        if count == 0:
            continue
        trial = Trial(prompts=prompts[::every], seeds=tuple(range(count)), steps=steps)
        records = run_trial(
            pipe,
            detector,
            trial,
            NONE,
            folder / f"{name}.jsonl",
            on_images=lambda done, total, name=name: on_images(name, done, total),
        )
        figures[name] = _suite_figures(records, trial)
    return figures


def row_name(suite: str, steps: int) -> str:
    """Return what a suite at a number of denoising steps is called in files and figures: `single`, `single-30`."""
    return suite if steps == STEPS else f"{suite}-{steps}"


def _suite_figures(records: list[TrialRecord], trial: Trial) -> dict[str, Any]:
    table = success_table(records, trial)
    figures: dict[str, Any] = {"images": table.size, "steps": trial.steps, "success": vars(estimate(table))}
    figures |= {fault: float(success_table(records, trial, fault).mean()) for fault in FAULTS}
    shares = table.mean(axis=1)
    kinds = [prompt_kind(prompt) for prompt in trial.prompts]
    figures["by_kind"] = {kind: float(shares[[k == kind for k in kinds]].mean()) for kind in sorted(set(kinds))}
    unseen = np.array([is_held_out(tuple(e.name for e in expectations(prompt))) for prompt in trial.prompts])
    if unseen.any():
        figures["seen_pairs"], figures["unseen_pairs"] = float(shares[~unseen].mean()), float(shares[unseen].mean())
    figures["worst_prompts"] = {trial.prompts[i]: float(shares[i]) for i in np.argsort(shares)[:12]}
    figures["seconds_per_image"] = float(np.median([record.seconds for record in records]))
    return figures


def detector_figures(detector: Detector, renders: int = 2048, style: Style = APART) -> dict[str, Any]:
    """Return the accuracy of the detector on renders from seeds that training never drew, half with unseen pairs.

    `style` composes the scenes; a box is that of the whole object, also where another covers a part of it.

    By image: `exact` is the share of images whose set of (class, colour) is right, `classes`, `colours` and `count`
    the shares of images in which these alone are right. By object: `found` is the share of the objects at whose
    location something was detected, `class` and `colour` the shares of all objects that were found and named rightly,
    and `invented` counts detections where no object is, per image.
    """
    rng = np.random.default_rng(HELD_OUT_SEED)
    scenes = [
        random_scene(rng, count=1 + i % 3, unseen_pairs=i % 3 > 0 and i % 2 == 0, style=style) for i in range(renders)
    ]
    found = [each for start in range(0, renders, 256) for each in detector(_renders(scenes[start : start + 256]))]
    right: Counter[str] = Counter()
    objects: Counter[str] = Counter()
    for scene, detections in zip(scenes, found, strict=True):
        truth = sorted((item.name, item.colour or NATURAL) for item in scene.items)
        seen = sorted((detection.name, detection.colour) for detection in detections)
        right["count"] += len(truth) == len(seen)
        right["classes"] += [name for name, _ in truth] == [name for name, _ in seen]
        right["colours"] += sorted(colour for _, colour in truth) == sorted(colour for _, colour in seen)
        right["exact"] += truth == seen
        matched = match_by_location([box(item, scene.canvas) for item in scene.items], detections)
        objects["count"] += len(scene.items)
        objects["invented"] += len(detections) - sum(detection is not None for detection in matched)
        for item, detection in zip(scene.items, matched, strict=True):
            if detection is not None:
                objects["found"] += 1
                objects["class"] += detection.name == item.name
                objects["colour"] += detection.colour == (item.colour or NATURAL)
    figures: dict[str, Any] = {what: right[what] / renders for what in ("exact", "classes", "colours", "count")}
    figures |= {"renders": renders, "objects": {"count": objects["count"]}}
    figures["objects"] |= {what: objects[what] / objects["count"] for what in ("found", "class", "colour")}
    figures["objects"]["invented"] = objects["invented"] / renders
    return figures


def match_by_location(boxes: Sequence[Box], detections: Sequence[Detection]) -> list[Detection | None]:
    """Return for each box the detection that covers it best, each once; None if none overlaps by 0.3 (IoU)."""
    pairs = [
        (overlap, number, index)
        for number, one in enumerate(boxes)
        for index, detection in enumerate(detections)
        if (overlap := intersection_over_union(one, detection.box)) >= SAME_LOCATION
    ]
    matched: list[Detection | None] = [None] * len(boxes)
    taken: set[int] = set()
    for _, number, index in sorted(pairs, reverse=True):
        if matched[number] is None and index not in taken:
            matched[number] = detections[index]
            taken.add(index)
    return matched


@torch.no_grad()
def autoencoder_figures(pipe: ImagePipeline, renders: int = 256, style: Style = APART) -> dict[str, float]:
    """Return the peak signal-to-noise ratio in dB of encoding and decoding held-out renders (peak 255, mean)."""
    rng = np.random.default_rng(HELD_OUT_SEED + 1)
    images = _renders([random_scene(rng, count=1 + i % 3, style=style) for i in range(renders)])
    decoded = np.concatenate(
        [
            to_images(pipe.vae.decode(pipe.vae.encode(to_tensor(part)).latent_dist.mode()).sample)
            for part in np.array_split(images, max(1, renders // 64))
        ]
    )
    errors = np.square(images.astype(float) - decoded).mean(axis=(1, 2, 3))
    return {"psnr": float((10 * np.log10(255**2 / errors)).mean()), "renders": renders}


def speed_figures(pipe: ImagePipeline, images: int = 32) -> dict[str, float]:
    """Return images per second in one batch (25 steps, guidance scale 3) with the threads that torch has now."""
    pipe("a cat", num_inference_steps=1, output_type="np")
    start = time.perf_counter()
    pipe(["a cat and a blue clock"] * images, num_inference_steps=25, guidance_scale=3.0, output_type="np")
    seconds = time.perf_counter() - start
    return {"images_per_second": images / seconds, "batch": images, "threads": torch.get_num_threads()}


def loading_figures(folder: Path | None = None, runs: int = 3) -> dict[str, float]:
    """Return the seconds that `load()` takes in a fresh process (median of `runs`), and apart from it the imports'."""
    code = (
        "import sys, time; start = time.perf_counter(); from heedful.world.embedded import load; "
        "imported = time.perf_counter(); load(sys.argv[1] or None); "
        "print(imported - start, time.perf_counter() - imported)"
    )
    command = [sys.executable, "-c", code, "" if folder is None else str(folder)]
    printed = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(runs)]
    imports, loads = np.median([[float(word) for word in line.split()] for line in printed], axis=0)
    return {"seconds": float(loads), "import_seconds": float(imports), "runs": runs}


def _renders(scenes: list[Scene]) -> np.ndarray:
    return np.stack([render(scene) for scene in scenes])
