"""Paint prompts x seeds, and keep for each image its verdict and what its maps said at every step.

A killed study goes on where it was (`records`). Knows nothing of what is asked of the maps: `describe` says that.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from heedful.attention import Maps
from heedful.errors import SettingsError
from heedful.guidance import Method, guide
from heedful.lab.records import Case, kept_records
from heedful.lab.trial import FAULTS, Trial, paint
from heedful.models import Model
from heedful.prompts import Prompt
from heedful.world import Detection, Detector, expectations, judge, split_prompts


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
    how = {
        **asdict(trial),
        "method": repr(method),
        "settings": repr(method.settings_for(pipe.unet)),
        "scheduler": type(pipe.scheduler).__name__,
        "values": describe.__module__,
        "weights": weights,
    }
    return kept_records(
        path,
        how,
        trial.cases,
        trial.batch,
        Watched,
        lambda batch: _paint(pipe, detector, trial, method, describe, batch),
        same="these prompts, seeds, settings and weights",
        on_images=on_images,
    )


def rounded(values: torch.Tensor) -> list[Any]:
    """Numbers as a (nested) list with six digits, which is what a record keeps; NaN becomes None."""
    listed: list[Any] = values.tolist()
    return [_rounded(value) for value in listed]


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return None if value != value else float(f"{value:.6g}")


def _paint(
    pipe: Any, detector: Detector, trial: Trial, method: Method, describe: Describe, batch: Sequence[Case]
) -> list[Watched]:
    with guide(pipe, [prompt for prompt, _ in batch], method, retry_seeds=[seed for _, seed in batch]) as guided:
        pictures = paint(pipe, trial, batch)
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
