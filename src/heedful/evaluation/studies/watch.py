"""Paint prompts x seeds, and keep for each image its verdict and what its maps said at every step.

Records are written as each batch is done, so a killed study goes on where it was. Knows nothing of what is asked of the
maps: `describe` says that.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from heedful.attention import Maps
from heedful.errors import SettingsError
from heedful.evaluation.pipelines import Model
from heedful.evaluation.trial import FAULTS, Trial, split_prompts
from heedful.files import write_atomic
from heedful.guidance.guide import guide
from heedful.guidance.methods import Method
from heedful.prompts import Prompt
from heedful.world.detector import Detection, Detector
from heedful.world.judge import expectations, judge


@dataclass(frozen=True, eq=False)
class Seen:
    """One image and its run."""

    prompt: Prompt
    maps: Maps
    """The items of this batch are the steps; tokens up to the end of the text."""
    picture: np.ndarray
    """(height, width, 3) uint8."""
    detections: list[Detection]

    @property
    def prompts(self) -> list[Prompt]:
        """The prompt once a step, as losses ask for it."""
        return [self.prompt] * len(self.maps)


@dataclass(frozen=True)
class Watched:
    """The record of one image: the verdict, and how often each concept of the prompt was found, in its order."""

    prompt: str
    seed: int
    success: bool
    neglect: bool
    leakage: bool
    hybrid: bool
    duplicate: bool
    extra: bool
    found: list[int]
    values: dict[str, Any]
    """What `describe` said."""


Describe = Callable[[Seen], dict[str, Any]]
"""Plain JSON values of one image."""


def study_prompts(count: int) -> tuple[str, ...]:
    """The first `count` prompts of the development half: what a study teaches may shape methods, so none to report on.

    Raises `SettingsError` if there are not as many.
    """
    development, _ = split_prompts()
    if not 1 <= count <= len(development):
        raise SettingsError(f"Expected 1 to {len(development)} prompts, the development half, got {count}.")
    return development[:count]


def weights_of(model: Model) -> str:
    """The fingerprint of a world model and of its detector, which judges what the model paints."""
    detector = sha256((model.folder / "detector.safetensors").read_bytes()).hexdigest()[:12]
    return f"{model.weights}-{detector}"


def watch(
    pipe: Any,
    detector: Detector,
    trial: Trial,
    method: Method,
    describe: Describe,
    path: Path,
    *,
    weights: str,
    on_images: Callable[[int, int], None] = lambda done, total: None,
) -> list[Watched]:
    """Paint the images of a trial by one method, and return their records, which are kept in the JSONL file `path`.

    `weights` is the fingerprint of those that paint and judge. A file made otherwise raises `SettingsError`.
    """
    cases = trial.cases
    settings = method.settings_for(pipe.unet)
    head = json.dumps(
        {
            **asdict(trial),
            "method": repr(method),
            "settings": repr(settings),
            "scheduler": type(pipe.scheduler).__name__,
            "values": describe.__module__,
            "weights": weights,
        },
        sort_keys=True,
    )
    records = _read(path, head)
    # batches are cut from the whole list, so a resumed study makes the very batches that a whole one makes
    for start in range(0, len(cases), trial.batch):
        batch = cases[start : start + trial.batch]
        if len(records) < start + len(batch):
            records = records[:start] + _paint(pipe, detector, trial, method, describe, batch)
            lines = [head, *(json.dumps(asdict(record)) for record in records)]
            write_atomic(path, "\n".join(lines) + "\n")
        on_images(start + len(batch), len(cases))
    return records


def rounded(values: torch.Tensor) -> list[Any]:
    """Numbers as a (nested) list with six digits, which is what a record keeps; NaN becomes None."""
    listed: list[Any] = values.tolist()
    return [_rounded(value) for value in listed]


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return None if value != value else float(f"{value:.6g}")


def _paint(
    pipe: Any, detector: Detector, trial: Trial, method: Method, describe: Describe, batch: Sequence[tuple[str, int]]
) -> list[Watched]:
    prompts, seeds = [prompt for prompt, _ in batch], [seed for _, seed in batch]
    with guide(pipe, prompts, method, seeds=seeds) as guided:
        images = pipe(
            prompts,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
            num_inference_steps=trial.steps,
            guidance_scale=trial.guidance_scale,
            output_type="np",
        ).images
    pictures = (images * 255).round().astype(np.uint8)
    found = detector(pictures)
    tokens = guided.maps.tokens.float().cpu()  # -> (batch, step, token, height, width)
    records: list[Watched] = []
    for item, (text, seed) in enumerate(batch):
        verdict = judge(text, found[item])
        seen = Seen(guided.maps.prompts[item], Maps(tokens[item]), pictures[item], found[item])
        records.append(
            Watched(
                prompt=text,
                seed=seed,
                success=verdict.success,
                **{fault: getattr(verdict, fault) for fault in FAULTS},
                found=[sum(each.name == concept.name for each in found[item]) for concept in expectations(text)],
                values=describe(seen),
            )
        )
    return records


def _read(path: Path, head: str) -> list[Watched]:
    if not path.exists():
        return []
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    if first != head:
        raise SettingsError(
            f"Expected records of these prompts, seeds, settings and weights in {path}, got others. "
            "Choose another folder, or delete the file."
        )
    return [Watched(**json.loads(line)) for line in lines]
