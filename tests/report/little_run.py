"""A real little run on the embedded model, written as `heedful bench run` writes it, so that reports have records.

Import as `from tests.report.little_run import little_run`.
"""

import json
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from PIL import Image

import heedful
from heedful.evaluation.gallery import Entry, Gallery
from heedful.evaluation.generate import VERSIONS
from heedful.evaluation.trial import FAULTS, Trial, _shares, paint
from heedful.guidance import METHODS, guide
from heedful.prompts import Prompt
from heedful.world.embedded import load_detector
from heedful.world.judge import judge
from heedful.world.vocabulary import prompt_kind

RUN = "2026-05-01-0"


def little_run(
    folder: Path, prompts: Sequence[str], seeds: Sequence[int], methods: Sequence[str], *, steps: int = 4
) -> Path:
    """Paint prompts x seeds by every method, judge the images, and write images, records and the run's settings."""
    pipe, detector = heedful.world.load(), load_detector(None)
    pipe.set_progress_bar_config(disable=True)
    trial = Trial(prompts=tuple(prompts), seeds=tuple(seeds), steps=steps)
    gallery = Gallery(folder)
    lines: list[dict[str, Any]] = []
    for name in methods:
        for start in range(0, len(trial.cases), trial.batch):
            batch = trial.cases[start : start + trial.batch]
            texts, numbers = [text for text, _ in batch], [seed for _, seed in batch]
            began = time.perf_counter()
            with guide(pipe, texts, METHODS[name], seeds=numbers, keep_maps=False) as guided:
                pictures = paint(pipe, trial, batch)
            seconds = (time.perf_counter() - began) / len(batch)
            cost = guided.trace.cost(*_shares(pipe, guided.settings.sites))
            for item, (text, seed) in enumerate(batch):
                path = gallery.path(name, text, seed)
                gallery.save(path, Image.fromarray(pictures[item]), Entry({"prompt": text, "seed": seed}))
                verdict = judge(text, detector(pictures[item : item + 1])[0])
                guided_steps = [step for step in guided.trace if step.is_guided]
                losses = [step.loss[item] for step in guided_steps]
                lines.append(
                    {
                        "key": sha256(f"{name}/{text}/{seed}".encode()).hexdigest()[:16],
                        "suite": "world-two",
                        "prompt": text,
                        "kind": prompt_kind(text),
                        "concepts": [concept.name for concept in Prompt.parse(text, pipe.tokenizer).concepts],
                        "method": name,
                        "seed": seed,
                        "image": path.relative_to(folder).as_posix(),
                        "status": "done",
                        "error": None,
                        "scores": {
                            "world.success": float(verdict.success),
                            **{f"world.{fault}": float(getattr(verdict, fault)) for fault in FAULTS},
                            "world.confidence": round(verdict.confidence, 4),
                        },
                        "trace": {
                            "guided_steps": len(guided_steps),
                            "skipped_updates": sum(step.skipped[item] for step in guided_steps),
                            "restarts": guided.trace.restarts[item].tries if guided.trace.restarts else 0,
                            "first_loss": losses[0] if losses else None,
                            "last_loss": losses[-1] if losses else None,
                        },
                        "cost": round(cost, 4),
                        "seconds": round(seconds, 4),
                        "run": RUN,
                    }
                )
    write_records(folder, lines)
    chosen = {name: METHODS[name] for name in methods}
    write_run(
        folder,
        {
            "run": RUN,
            "suite": "world-two",
            "model": "embedded world",
            "weights": "0123456789ab",
            "settings": {
                "steps": steps,
                "guidance_scale": trial.guidance_scale,
                "scheduler": type(pipe.scheduler).__name__,
                "dtype": "float32",
                "width": 64,
                "height": 64,
                "batch_size": trial.batch,
            },
            "methods": {
                name: f"{method.loss!r}, {asdict(method.settings_for(pipe.unet))!r}" for name, method in chosen.items()
            },
            "versions": VERSIONS,
            "git": {"commit": "0" * 40, "is_dirty": False},
            "hardware": {"machine": platform.machine(), "threads": torch.get_num_threads()},
            "started": "2026-05-01T12:00:00+00:00",
        },
    )
    return folder


def write_records(folder: Path, lines: Sequence[dict[str, Any]], name: str = "cases-0.jsonl") -> Path:
    """Write records, one a line."""
    path = folder / "records" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def write_run(folder: Path, run: dict[str, Any]) -> Path:
    """Write what a run says of itself."""
    path = folder / "runs" / f"{run['run']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run), encoding="utf-8")
    return path
