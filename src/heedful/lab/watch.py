"""Generate prompts x seeds, and keep for each image its verdict and what its maps said at every step.

A killed study goes on where it was (`records`). What is read from the maps is up to the caller (`Read`).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from heedful.attention import ImagePipeline, Maps, find_denoiser
from heedful.guidance import Method, guide
from heedful.lab.records import Case, JudgedImage, kept_records, verdict_fields
from heedful.lab.trial import Trial, sample_cases
from heedful.prompts import Prompt
from heedful.world import Detection, Detector, expectations, judge


@dataclass(frozen=True, eq=False)
class Seen:
    """One image and its run."""

    prompt: Prompt
    maps: Maps
    """The items of this batch are the steps; tokens up to the end of the text."""
    image: np.ndarray
    """(height, width, 3) uint8."""
    detections: list[Detection]

    @property
    def prompts(self) -> list[Prompt]:
        """The prompt once per step, as losses ask for it."""
        return [self.prompt] * len(self.maps)


@dataclass(frozen=True)
class Watched(JudgedImage):
    """The record of one image: its verdict, and how often each concept of the prompt was found, in its order."""

    found: list[int]
    values: dict[str, Any]
    """What was read from the maps."""


Read = Callable[[Seen], dict[str, Any]]
"""What is kept of one image, as plain JSON values."""


def watch(
    pipe: ImagePipeline,
    detector: Detector,
    trial: Trial,
    method: Method,
    read: Read,
    path: Path,
    *,
    values: str,
    weights: str,
    on_images: Callable[[int, int], None] = lambda done, total: None,
) -> list[Watched]:
    """Generate the images of a trial by one method, and return their records, which are kept in the JSONL file `path`.

    - `read`: what is kept of each image, and `values` its name, which the first line of the file holds.
    - `weights`: the fingerprint of the models that generate and judge.
    - `on_images`: called after each batch with the number of images that are done, and of all.

    A file that was made otherwise raises `SettingsError`.
    """
    how = {
        **asdict(trial),
        "method": repr(method),
        "settings": repr(method.settings_for(find_denoiser(pipe))),
        "scheduler": type(pipe.scheduler).__name__,
        "values": values,
        "weights": weights,
    }
    return kept_records(
        path,
        how,
        trial.cases,
        trial.batch,
        Watched,
        lambda batch: _make(pipe, detector, trial, method, read, batch),
        same="these prompts, seeds, settings and weights",
        on_images=on_images,
    )


def rounded(values: torch.Tensor) -> list[Any]:
    """Return numbers as a (nested) list with six digits, which is what a record keeps; NaN becomes None."""
    listed: list[Any] = values.tolist()
    return [_rounded(value) for value in listed]


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return None if value != value else float(f"{value:.6g}")


def _make(
    pipe: ImagePipeline, detector: Detector, trial: Trial, method: Method, read: Read, batch: Sequence[Case]
) -> list[Watched]:
    with guide(pipe, [prompt for prompt, _ in batch], method, retry_seeds=[seed for _, seed in batch]) as guided:
        images = sample_cases(pipe, trial, batch)
    tokens = guided.maps.tokens.float().cpu()  # -> (batch, step, token, height, width)
    records: list[Watched] = []
    for item, ((text, seed), found) in enumerate(zip(batch, detector(images), strict=True)):
        maps = Maps(tokens[item], rows=guided.maps.at(0).rows)
        seen = Seen(guided.maps.prompts[item], maps, images[item], found)
        counts = [sum(each.name == concept.name for each in found) for concept in expectations(text)]
        records.append(Watched(text, seed, **verdict_fields(judge(text, found)), found=counts, values=read(seen)))
    return records
