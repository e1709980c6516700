"""The world's detector as a score: does an image of the embedded world show exactly what its prompt says?

It says nothing of other images: the detector knows 24 classes of sprites.
"""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from PIL import Image

from heedful.guidance import MapHistory
from heedful.prompts import Prompt
from heedful.scores.boxes import load_detector
from heedful.scores.score import Figure, Score, Values, check_prompts
from heedful.world import expectations, judge


def _fault(name: str, says: str) -> Figure:
    return Figure(name=name, higher_is_better=False, says=says)


@dataclass(frozen=True, kw_only=True)
class WorldScore(Score):
    """The verdict of the world's judge (`heedful.world.judge`): 1.0 where a figure holds, else 0.0.

    Settings: the detector of a world model at its own thresholds, on the image at 64x64 pixels; classes and colours
    of the prompt by its words. None for a prompt that names no class of the world. How often the detector itself is
    wrong stands on the card of its model.
    """

    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="success", says="every concept is there exactly once, in its colour, and nothing else"),
        _fault("neglect", "a concept is missing"),
        _fault("leakage", "a concept has a wrong colour, or one of another concept"),
        _fault("hybrid", "there is a blob that is no clean object"),
        _fault("duplicate", "a concept is there more often than it was asked for"),
        _fault("extra", "there is an object that was not asked for"),
        Figure(
            name="confidence",
            says="the detector's confidence in the least sure of the prompt's clean objects; 0 if there is none",
        ),
    )

    TAUGHT: ClassVar[str] = (
        "The judge of the embedded model does not know what was taught: its figures (world.*) do not say whether "
        "taught things look as they were taught. The score instance does."
    )
    """What is said of prompts with taught words."""

    name: str = "world"
    folder: Path | None = None
    """The folder of another world model, whose detector judges; None is the embedded one."""

    def __call__(
        self, images: Sequence[Image.Image], prompts: Sequence[Prompt], maps: MapHistory | None = None
    ) -> Values:
        """Return success, the five faults and the confidence of each image."""
        check_prompts(images, prompts)
        if any(re.search(r"<[^<>\s]+>", prompt.text) for prompt in prompts):
            warnings.warn(self.TAUGHT, UserWarning, stacklevel=2)
        found = load_detector(self.folder)(images) if images else []
        verdicts = [
            judge(prompt.text, detections) if expectations(prompt.text) else None
            for prompt, detections in zip(prompts, found, strict=True)
        ]
        return {
            figure.name: [None if verdict is None else float(getattr(verdict, figure.name)) for verdict in verdicts]
            for figure in self.figures
        }
