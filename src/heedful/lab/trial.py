"""Run a method over prompts x seeds of the embedded world and let the detector judge every image.

All methods get the same noise: image (prompt, seed) starts from a CPU generator seeded by `seed`. No two prompts share
a seed: much of how an image comes out is settled by its noise, and intervals over prompts would not see what a shared
seed does. A killed trial goes on where it was (`records`).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from heedful.attention import ImagePipeline, find_denoiser
from heedful.guidance import GradientShares, Method, Settings, guide, pipeline_shares
from heedful.images import Sampling, sample, to_pixels
from heedful.lab.records import Case, JudgedImage, kept_records, verdict_fields
from heedful.world import Detection, Detector, judge


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What is generated: every prompt with every seed, by one sampler (the pipeline's own scheduler)."""

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
class TrialRecord(JudgedImage):
    """One image of a trial: its verdict, what was detected in it, and what its guidance did."""

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
    pipe: ImagePipeline,
    detector: Detector,
    trial: Trial,
    method: Method,
    path: Path,
    *,
    settings: Settings | None = None,
    on_images: Callable[[int, int], None] = lambda done, total: None,
) -> list[TrialRecord]:
    """Run one method over a trial; records are kept in the JSONL file `path` and never made twice.

    `settings` replace the method's own. The first line of the file says how the records were made; a file made
    otherwise raises `SettingsError`.
    """
    chosen = settings or method.settings_for(find_denoiser(pipe))
    shares = pipeline_shares(pipe, chosen.sites)
    how = {
        "method": repr(method),
        "settings": repr(chosen),
        "scheduler": type(pipe.scheduler).__name__,
        "steps": trial.steps,
        "guidance_scale": trial.guidance_scale,
        "batch": trial.batch,
        "bfloat16": trial.bfloat16,
        "prompts": list(trial.prompts),
        "seeds": list(trial.seeds),
        "seeds_move_by_prompt": 1000,
    }
    return kept_records(
        path,
        how,
        trial.cases,
        trial.batch,
        TrialRecord,
        lambda batch: _make(pipe, detector, trial, method, settings, batch, shares),
        same="this method, these settings, prompts and seeds",
        on_images=on_images,
    )


def sample_cases(pipe: ImagePipeline, trial: Trial, batch: Sequence[Case], **options: Any) -> np.ndarray:
    """Generate some cases of a trial: (image, height, width, 3) uint8. `options` go to the pipeline too."""
    sampling = Sampling(
        steps=trial.steps, guidance_scale=trial.guidance_scale, batch_size=trial.batch, bfloat16=trial.bfloat16
    )
    texts, seeds = [text for text, _ in batch], [seed for _, seed in batch]
    return to_pixels(sample(pipe, sampling, texts, seeds, **options))


def success_table(records: Sequence[JudgedImage], trial: Trial, field: str = "success") -> np.ndarray:
    """Return a field of the records as a table (prompt, seed)."""
    return np.array([getattr(record, field) for record in records], dtype=float).reshape(
        len(trial.prompts), len(trial.seeds)
    )


def _make(
    pipe: ImagePipeline,
    detector: Detector,
    trial: Trial,
    method: Method,
    settings: Settings | None,
    batch: Sequence[Case],
    shares: GradientShares | None,
) -> list[TrialRecord]:
    prompts, seeds = [prompt for prompt, _ in batch], [seed for _, seed in batch]
    start = time.perf_counter()
    with guide(pipe, prompts, method, settings=settings, retry_seeds=seeds, keep_maps=False) as guided:
        images = sample_cases(pipe, trial, batch)
    seconds = (time.perf_counter() - start) / len(batch)
    trace = guided.trace
    steps = [step for step in trace if step.is_guided]
    cost = trace.relative_cost if shares is None else trace.cost(*shares)
    records: list[TrialRecord] = []
    for item, ((prompt, seed), found) in enumerate(zip(batch, detector(images), strict=True)):
        verdict = judge(prompt, found)
        final = steps[-1].loss[item] if steps else np.nan
        records.append(
            TrialRecord(
                prompt,
                seed,
                **verdict_fields(verdict),
                confidence=round(verdict.confidence, 4),
                detections=[_detection(each) for each in found],
                final_loss=round(final, 6) if np.isfinite(final) else None,
                refinements=sum(step.refinements[item] for step in steps),
                skipped=sum(step.skipped[item] for step in steps),
                seconds=round(seconds, 4),
                relative_cost=round(cost, 4),
                restarts=trace.restarts[item].tries if trace.restarts else 0,
            )
        )
    return records


def _detection(found: Detection) -> dict[str, Any]:
    return {
        "name": found.name,
        "colour": found.colour,
        "box": [round(side, 1) for side in found.box],
        "confidence": round(found.confidence, 3),
    }
