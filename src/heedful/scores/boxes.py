"""Where the concepts of a prompt are in an image: boxes as shares of its sides, from a detector.

The detector here is the world's; `owl.py` has another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

from heedful import world
from heedful.prompts import Prompt
from heedful.world import CANVAS, Box, Detector

Part = tuple[float, float, float, float]
"""Left, top, right and bottom of a box as shares of the image's width and height, in [0, 1] where it is inside."""

Boxes = Callable[[Sequence[Image.Image], Sequence[Prompt]], list[dict[str, list[Part]]]]
"""Images and their prompts to the boxes of each concept's noun in each image, surest first; empty if not found."""


@dataclass(frozen=True, kw_only=True)
class WorldBoxes:
    """Boxes by the detector of the embedded world, which knows its 24 classes in images of the world."""

    folder: Path | None = None
    """The folder of another world model; None is the embedded one."""

    def __call__(self, images: Sequence[Image.Image], prompts: Sequence[Prompt]) -> list[dict[str, list[Part]]]:
        """Return the boxes of each concept's noun in each image."""
        if not images:
            return []
        found = load_detector(self.folder)(images)
        return [
            {
                concept.noun: [_share(each.box) for each in detections if each.name == concept.noun.lower()]
                for concept in prompt.concepts
            }
            for prompt, detections in zip(prompts, found, strict=True)
        ]


@cache
def load_detector(folder: Path | None) -> Detector:
    """Load the detector of a world model once; raises `ModelNotFound`."""
    return world.load_detector(folder)


def crop(image: Image.Image, part: Part) -> Image.Image:
    """Return the part of `image` inside a box, at least one pixel of it."""
    left, top = (min(int(side * size), size - 1) for side, size in zip(part[:2], image.size, strict=True))
    right, bottom = (round(side * size) for side, size in zip(part[2:], image.size, strict=True))
    left, top = max(left, 0), max(top, 0)
    return image.crop((left, top, max(min(right, image.width), left + 1), max(min(bottom, image.height), top + 1)))


def is_in(location: tuple[float, float], part: Part) -> bool:
    """Return whether a location (x, y), as shares of the sides, lies in a box."""
    return part[0] <= location[0] <= part[2] and part[1] <= location[1] <= part[3]


def _share(box: tuple[float, ...]) -> Part:
    left, top, right, bottom = (side / CANVAS for side in box)
    return left, top, right, bottom


def intersection_over_union(one: Box, other: Box) -> float:
    """Return the area that two boxes (left, top, right, bottom) share, over the area that both cover; in [0, 1]."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = sum((right - left) * (bottom - top) for left, top, right, bottom in (one, other))
    return shared / max(areas - shared, 1e-9)
