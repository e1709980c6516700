"""Run a method over prompts x seeds of the embedded world and let the detector judge every image.

All methods get the same noise: image (prompt, seed) starts from a CPU generator seeded by `seed`. No two prompts share
a seed: much of how an image comes out is settled by its noise, and intervals that resample prompts would not see that.
A killed trial goes on where it was (`records`). Knows nothing of tables or intervals (`statistics`).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from heedful.attention import find_denoiser
from heedful.guidance import GradientShares, Method, Settings, Trace, guide, pipeline_shares
from heedful.lab.records import Case, kept_records
from heedful.world import Detection, Detector, judge

FAULTS = ("neglect", "leakage", "hybrid", "duplicate", "extra")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What is painted: every prompt with every seed, by one sampler (the pipeline's own scheduler)."""

    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    steps: int = 20
    guidance_scale: float = 3.0
    batch: int = 24
    bfloat16: bool = False
    """Compute the denoiser's products in bfloat16: 1.6 times as fast on a CPU that has such instructions."""

    @property
    def cases(self) -> list[Case]:
        """Prompt and seed of every image; the seeds of prompt i are `seeds` moved by 1000 i."""
        return [(prompt, 1000 * i + seed) for i, prompt in enumerate(self.prompts) for seed in self.seeds]


@dataclass(frozen=True)
class Record:
    """One judged image."""

    prompt: str
    seed: int
    success: bool
    neglect: bool
    leakage: bool
    hybrid: bool
    duplicate: bool
    extra: bool
    confidence: float
    detections: list[dict[str, Any]]
    final_loss: float | None
    refinements: int
    skipped: int
    seconds: float
    relative_cost: float
    """Operations of the denoiser, relative to sampling without guidance; of the batch that the image was made in."""
    restarts: int


def run_trial(
    pipe: Any,
    detector: Detector,
    trial: Trial,
    method: Method,
    path: Path,
    *,
    settings: Settings | None = None,
    on_images: Callable[[int, int], None] = lambda done, total: None,
) -> list[Record]:
    """Run one method over a trial; records are kept in the JSONL file `path` and never made twice.

    `settings` replace the method's own. The first line of the file says how the records were made; a file made
    otherwise raises `SettingsError`.
    """
    # None for joint attention, whose gradient passes are not counted: shared out as in Stable Diffusion
    shares = pipeline_shares(pipe, (settings or method.settings_for(find_denoiser(pipe))).sites)
    return kept_records(
        path,
        _provenance(pipe, trial, method, settings),
        trial.cases,
        trial.batch,
        Record,
        lambda batch: _paint(pipe, detector, trial, method, settings, batch, shares),
        same="this method, these settings, prompts and seeds",
        on_images=on_images,
    )


def paint(pipe: Any, trial: Trial, batch: Sequence[Case], **arguments: Any) -> np.ndarray:
    """Paint some cases of a trial: (image, height, width, 3) uint8. `arguments` go to the pipeline too."""
    with torch.autocast(pipe.device.type, torch.bfloat16, trial.bfloat16):
        images = pipe(
            [prompt for prompt, _ in batch],
            generator=[torch.Generator().manual_seed(seed) for _, seed in batch],
            num_inference_steps=trial.steps,
            guidance_scale=trial.guidance_scale,
            output_type="np",
            **arguments,
        ).images
    return (images * 255).round().astype(np.uint8)


def success_table(records: Sequence[Record], trial: Trial, field: str = "success") -> np.ndarray:
    """A field of the records as a table (prompt, seed)."""
    return np.array([getattr(record, field) for record in records], dtype=float).reshape(
        len(trial.prompts), len(trial.seeds)
    )


def _paint(
    pipe: Any,
    detector: Detector,
    trial: Trial,
    method: Method,
    settings: Settings | None,
    batch: Sequence[Case],
    shares: GradientShares | None,
) -> list[Record]:
    prompts, seeds = [prompt for prompt, _ in batch], [seed for _, seed in batch]
    start = time.perf_counter()
    with guide(pipe, prompts, method, settings=settings, seeds=seeds, keep_maps=False) as guided:
        pictures = paint(pipe, trial, batch)
    seconds = (time.perf_counter() - start) / len(batch)
    found = detector(pictures)
    steps = [step for step in guided.trace if step.is_guided]
    cost = guided.trace.relative_cost if shares is None else guided.trace.cost(*shares)
    return [
        _record(prompt, seed, found[i], steps, i, seconds, guided.trace, cost) for i, (prompt, seed) in enumerate(batch)
    ]


def _record(
    prompt: str,
    seed: int,
    detections: list[Detection],
    steps: list[Any],
    item: int,
    seconds: float,
    trace: Trace,
    cost: float,
) -> Record:
    verdict = judge(prompt, detections)
    final = steps[-1].loss[item] if steps else None
    return Record(
        prompt=prompt,
        seed=seed,
        success=verdict.success,
        **{fault: getattr(verdict, fault) for fault in FAULTS},
        confidence=round(verdict.confidence, 4),
        detections=[
            {
                "name": d.name,
                "colour": d.colour,
                "box": [round(v, 1) for v in d.box],
                "confidence": round(d.confidence, 3),
            }
            for d in detections
        ],
        final_loss=None if final is None or not np.isfinite(final) else round(final, 6),
        refinements=sum(step.refinements[item] for step in steps),
        skipped=sum(step.skipped[item] for step in steps),
        seconds=round(seconds, 4),
        relative_cost=round(cost, 4),
        restarts=trace.restarts[item].tries if trace.restarts else 0,
    )


def _provenance(pipe: Any, trial: Trial, method: Method, settings: Settings | None) -> dict[str, Any]:
    return {
        "method": repr(method),
        "settings": repr(settings or method.settings_for(find_denoiser(pipe))),
        "scheduler": type(pipe.scheduler).__name__,
        "steps": trial.steps,
        "guidance_scale": trial.guidance_scale,
        "batch": trial.batch,
        "bfloat16": trial.bfloat16,
        "prompts": list(trial.prompts),
        "seeds": list(trial.seeds),
        "seeds_move_by_prompt": 1000,
    }
