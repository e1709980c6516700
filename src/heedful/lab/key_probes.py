"""Probes on the keys of joint attention: in which heads, and along which directions, they tell what is missing.

Images are sampled without steering, and the detector says which of their concepts are there. The keys of each concept's
noun, mean over its tokens and over the first steps, are then compared between absent and present concepts.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from heedful.attention import ImagePipeline, find_denoiser, layout_of, replaced, text_keys
from heedful.errors import SettingsError
from heedful.guidance import NONE, Head, guide
from heedful.lab.trial import Trial, sample_cases
from heedful.prompts import Prompt
from heedful.world import Detection

Detect = Callable[[np.ndarray], list[list[Detection]]]
"""What is in images (image, height, width, 3)."""
TextKeys = Float[Tensor, "batch head token width"]
Keys = Float[np.ndarray, "concept head width"]


def fit_probes(
    pipe: ImagePipeline,
    detector: Detect,
    trial: Trial,
    *,
    guided: float = 0.5,
    share: float = 0.2,
) -> tuple[Head, ...]:
    """Return the heads of a denoiser whose keys tell best whether a concept is there, with their directions.

    - `detector` tells what is in images, such as `heedful.world.load_detector()`.
    - `trial` says which images are sampled; prompts of which nothing is reported later.
    - `guided` is the share of the steps, from the first on, whose keys are read.
    - `share` of all heads is returned, those with the highest score first.

    A head's score is found on every other prompt, by the direction of the others; its direction then on all of them.
    Raises `SettingsError` unless some concepts are there and some are not.
    """
    read: dict[str, list[Keys]] = {}
    labels: list[bool] = []
    halves: list[int] = []
    cases = trial.cases
    for start in range(0, len(cases), trial.batch):
        batch = cases[start : start + trial.batch]
        texts = [text for text, _ in batch]
        with guide(pipe, texts, NONE, keep_maps=False) as guided_run:
            reading = _Reading(pipe, guided_run.prompts, max(1, round(guided * trial.steps)))
            with replaced(reading.denoiser, "forward", reading.forward) as opened:
                reading.original = opened.original
                images = sample_cases(pipe, trial, batch)
        for name, keys in reading.means().items():
            read.setdefault(name, []).append(keys)
        for (text, _), prompt, found in zip(batch, guided_run.prompts, detector(images), strict=True):
            names = {detection.name for detection in found}
            labels += [concept.noun in names for concept in prompt.concepts]
            halves += [trial.prompts.index(text) % 2] * len(prompt.concepts)
    is_there, half = np.array(labels), np.array(halves)
    for part in (is_there[half == 0], is_there[half == 1]):
        if part.all() or not part.any():
            raise SettingsError(
                f"Expected concepts that are there and others that are not in both halves of the prompts, got "
                f"{part.sum()} of {len(part)} that are there in one. Sample more prompts."
            )
    heads = [
        _probe(name, number, np.concatenate(parts)[:, number], is_there, half)
        for name, parts in read.items()
        for number in range(parts[0].shape[1])
    ]
    heads.sort(key=lambda head: -head.score)
    return tuple(heads[: max(1, round(share * len(heads)))])


def _probe(
    site: str, number: int, keys: Float[np.ndarray, "concept width"], is_there: Bool[np.ndarray, "concept"], half: Any
) -> Head:
    """Return what the keys of one head say."""
    fitted = _direction(keys[half == 0], is_there[half == 0])
    along, there = keys[half == 1] @ fitted, is_there[half == 1]
    pairs = along[~there][:, None] - along[there][None]
    direction = _direction(keys, is_there)
    return Head(
        site=site,
        number=number,
        direction=tuple(float(value) for value in direction),
        spread=float((keys @ direction).std()),
        score=float((pairs > 0).mean() + (pairs == 0).mean() / 2),
    )


def _direction(keys: Float[np.ndarray, "concept width"], is_there: Bool[np.ndarray, "concept"]) -> Any:
    """Return the mean key of absent concepts less that of present ones, of length 1."""
    difference = keys[~is_there].mean(0) - keys[is_there].mean(0)
    return difference / max(float(np.linalg.norm(difference)), 1e-12)


class _Reading:
    """The keys of the concepts of some images, in the first steps of one run."""

    def __init__(self, pipe: ImagePipeline, prompts: Sequence[Prompt], steps: int):
        self.denoiser: Any = find_denoiser(pipe)
        self.original: Any = None
        self._layout = layout_of(self.denoiser)
        self._prompts = prompts
        self._steps = steps
        self._placed: list[Prompt] = []
        self._calls = 0
        self._sums: dict[str, Tensor] = {}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Predict, and add up the keys of the conditional rows, which are the last."""
        self._calls += 1
        if self._calls > self._steps:
            return self.original(*args, **kwargs)
        arguments = self._layout.arguments(self.denoiser, *args, **kwargs)
        rows = range(self._layout.rows(arguments))[-len(self._prompts) :]
        self._placed = [
            self._layout.placed(prompt, arguments, row) for prompt, row in zip(self._prompts, rows, strict=True)
        ]
        with text_keys(self.denoiser, arguments, self._see):
            return self.original(*args, **kwargs)

    def means(self) -> dict[str, Keys]:
        """Return the mean over the steps, by site."""
        return {name: (total / min(self._calls, self._steps)).numpy() for name, total in self._sums.items()}

    def _see(self, site: str, keys: TextKeys) -> TextKeys:
        rows = keys[-len(self._prompts) :].detach().float()
        found = [
            rows[item][:, list(concept.token_indices)].mean(1)
            for item, prompt in enumerate(self._placed)
            for concept in prompt.concepts
        ]
        total = torch.stack(found)  # -> (concept, head, width)
        self._sums[site] = self._sums[site] + total if site in self._sums else total
        return keys
