"""Does a taught concept carry its look, and does the look stay with it? Only the embedded world can answer exactly.

It says nothing of other images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from heedful.guidance import MapHistory
from heedful.prompts import Prompt
from heedful.scores.boxes import load_detector
from heedful.scores.score import Figure, Score, Values, check_prompts
from heedful.world import (
    CANVAS,
    CLASSES,
    INSTANCES,
    Instance,
    InstanceImage,
    Look,
    Sighting,
    make_templates,
    read_instances,
    recognise,
)


@dataclass(frozen=True, kw_only=True)
class InstanceScore(Score):
    """What became of the looks that were taught from one image: the placeholders say which image that was.

    The world's detector says where objects are; each is then compared with small sprites of all 24 classes in their own
    colours, in each of the world's 11, and in the looks of the taught image's concepts. The nearest counts if it is
    near enough (`heedful.world.recognition`). None for a prompt without a placeholder of a one-image concept.
    """

    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="carried", says="share of the prompt's taught concepts that are there with their own look"),
        Figure(
            name="leaked",
            higher_is_better=False,
            says="anything else in the image has a look that was taught for another concept",
        ),
        Figure(
            name="success",
            says="each taught concept of the prompt is there exactly once, with its own look, and no look leaked",
        ),
    )
    citations: ClassVar[tuple[str, ...]] = ("zhang2024disendiff",)

    name: str = "instance"
    folder: Path | None = None
    """The folder of other one-image concepts; None are those that come with heedful."""
    near: float = 0.6
    """How unlike its nearest sprite an object may be (`Sighting.unlike`) and still be named after it."""

    def __call__(
        self, images: Sequence[Image.Image], prompts: Sequence[Prompt], maps: MapHistory | None = None
    ) -> Values:
        """Return the three figures of each image."""
        check_prompts(images, prompts)
        values: Values = {figure.name: [] for figure in self.figures}
        if not images:
            return values
        fitted = np.stack([_fitted(image) for image in images])
        taught = read_instances(INSTANCES if self.folder is None else self.folder)
        for pixels, found, prompt in zip(fitted, load_detector(None)(fitted), prompts, strict=True):
            asked = _asked(prompt.text, taught)
            if asked is None:
                row: dict[str, float | None] = dict.fromkeys(values)
            else:
                image, wanted = asked
                templates = make_templates(tuple(each.look for each in image.instances))
                named = set(prompt.text.lower().split()).intersection(CLASSES)
                seen = [each for each in recognise(pixels, found, templates, named) if each.unlike <= self.near]
                row = dict(_figures(image, wanted, seen))
            for name, value in row.items():
                values[name].append(value)
        return values


def _asked(text: str, taught: Sequence[InstanceImage]) -> tuple[InstanceImage, list[Instance]] | None:
    """Return the taught image whose placeholders a text has, and the instances that it asks for."""
    words = text.lower().split()
    for image in taught:
        wanted = [each for each in image.instances if each.placeholder in words]
        if wanted:
            return image, wanted
    return None


def _figures(image: InstanceImage, wanted: Sequence[Instance], seen: Sequence[Sighting]) -> dict[str, float]:
    owners = {each.look: each.noun for each in image.instances}
    counts = [sum((each.noun, each.look) == (one.noun, one.look) for each in seen) for one in wanted]
    leaked = any(isinstance(each.look, Look) and owners.get(each.look, each.noun) != each.noun for each in seen)
    alone = all(sum(each.noun == one.noun for each in seen) == 1 for one in wanted)
    return {
        "carried": sum(count > 0 for count in counts) / len(counts),
        "leaked": float(leaked),
        "success": float(all(count == 1 for count in counts) and alone and not leaked),
    }


def _fitted(image: Image.Image) -> np.ndarray:
    rgb = image.convert("RGB")
    return np.asarray(rgb if rgb.size == (CANVAS, CANVAS) else rgb.resize((CANVAS, CANVAS), Image.Resampling.LANCZOS))
