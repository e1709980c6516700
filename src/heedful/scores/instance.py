"""Does an image with taught concepts show what its prompt says? Only the embedded world can answer exactly.

It says nothing of other images.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from heedful.guidance import MapHistory
from heedful.prompts import Prompt
from heedful.scores.boxes import load_detector
from heedful.scores.score import Figure, Score, Values, check_prompts
from heedful.world import (
    ANIMALS,
    BACKGROUNDS,
    CANVAS,
    CLASSES,
    COLOURS,
    INSTANCES,
    NATURAL,
    NEAR_NATURAL,
    Instance,
    InstanceImage,
    Sighting,
    ground_of,
    make_templates,
    read_instances,
    recognise,
    usual_colour,
)


@dataclass(frozen=True, kw_only=True)
class InstanceScore(Score):
    """Does an image obey a prompt with concepts that were taught? The placeholders say from which image they were.

    The world's detector says where objects are; each is then compared with small sprites of all 24 classes in their own
    colours, in each of the world's 11, and in the looks of the taught image's concepts. The nearest counts if it is
    near enough (`heedful.world.recognition`). None for a prompt without a placeholder of a one-image concept, and where
    a prompt does not ask for what a figure is about. A prompt may name concepts of several images, taught into several
    folders; then `first` and `second` are None, because each image has its own.

    `success` asks for everything that the prompt says. A copy of the training image, handed in for every prompt, wins
    `carried`, `leaked` and `once`, so none of these says alone whether a model was taught or has memorised.
    """

    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="carried", says="share of the prompt's taught concepts that are there with their own look"),
        Figure(name="first", says="the concept that was taught first, if the prompt names it, has its own look"),
        Figure(name="second", says="the concept that was taught second, if the prompt names it, has its own look"),
        Figure(
            name="leaked",
            higher_is_better=False,
            says="anything else in the image has a look that was taught for another concept",
        ),
        Figure(name="once", says="each taught concept of the prompt is there exactly once, in whatever look"),
        Figure(
            name="companions",
            says="share of the other things that the prompt names that are there exactly once, in their colour",
        ),
        Figure(name="extra", higher_is_better=False, says="something is there that the prompt does not name"),
        Figure(
            name="unasked",
            higher_is_better=False,
            says="a concept that was taught from the same image is there, though the prompt does not name it",
        ),
        Figure(name="background", says="the ground has the colour that the prompt names"),
        Figure(
            name="success",
            says="all that the prompt names is there exactly once, taught concepts in their own look and others in "
            "their colour, on the background that it names, with no look leaked and nothing else",
        ),
    )
    citations: ClassVar[tuple[str, ...]] = ("zhang2024disendiff",)

    name: str = "instance"
    folder: Path | None = None
    """The folder of other one-image concepts; None are those that come with heedful."""
    near: float = 0.6
    """How unlike its nearest sprite an object may be (`Sighting.unlike`) and still be named after it, unless the
    detector names it alike."""

    def __call__(
        self, images: Sequence[Image.Image], prompts: Sequence[Prompt], maps: MapHistory | None = None
    ) -> Values:
        """Return the figures of each image."""
        check_prompts(images, prompts)
        values: Values = {figure.name: [] for figure in self.figures}
        if not images:
            return values
        fitted = np.stack([_fitted(image) for image in images])
        taught = read_instances(INSTANCES if self.folder is None else self.folder)
        for pixels, found, prompt in zip(fitted, load_detector(None)(fitted), prompts, strict=True):
            asked = _read(prompt.text, taught)
            row: dict[str, float | None] = dict.fromkeys(values)
            if asked is not None:
                templates = make_templates(tuple(dict.fromkeys(each.look for each in asked.taught)))
                sightings = recognise(pixels, found, templates, asked.nouns)
                # a white thing on a pale ground is like nothing, but the detector, which knows plain things, agrees
                seen = [
                    each
                    for each, detection in zip(sightings, found, strict=True)
                    if each.unlike <= self.near or (each.noun, each.look) == (detection.name, detection.colour)
                ]
                row |= _figures(asked, seen, len(sightings) - len(seen), ground_of(pixels))
            for name, value in row.items():
                values[name].append(value)
        return values


@dataclass(frozen=True)
class _Asked:
    """What a prompt with taught concepts asks for."""

    images: tuple[InstanceImage, ...]
    """Those of which it names a concept."""
    wanted: tuple[Instance, ...]
    """In the order of these."""
    companions: tuple[tuple[str, str | None], ...]
    """Other things by class, each with its colour, if the prompt names one."""
    background: str | None

    @property
    def taught(self) -> tuple[Instance, ...]:
        return tuple(each for image in self.images for each in image.instances)

    @property
    def nouns(self) -> tuple[str, ...]:
        return *(each.noun for each in self.wanted), *(noun for noun, _ in self.companions)


def _read(text: str, taught: Sequence[InstanceImage]) -> _Asked | None:
    """Return what a text asks for, by the taught images whose placeholders it has; None if it has none."""
    words = text.lower().split()
    images = tuple(image for image in taught if any(each.placeholder in words for each in image.instances))
    if not images:
        return None
    wanted = tuple(each for image in images for each in image.instances if each.placeholder in words)
    placeholders = {each.placeholder for each in wanted}
    named = [(before, word) for before, word in pairwise(["", *words]) if word in CLASSES]
    grounds = (before for before, word in pairwise(words) if word == "background" and before in BACKGROUNDS)
    return _Asked(
        images,
        wanted,
        tuple((noun, b if b in COLOURS else None) for b, noun in named if b not in placeholders),
        next(grounds, None),
    )


def _figures(asked: _Asked, seen: Sequence[Sighting], unknown: int, ground: str) -> dict[str, float | None]:
    owned = {(each.noun, each.look) for each in asked.taught}
    looks = {each.look for each in asked.taught}
    there, named = Counter(each.noun for each in seen), Counter(asked.nouns)
    counts = [sum((each.noun, each.look) == (one.noun, one.look) for each in seen) for one in asked.wanted]
    leaked = any(each.look in looks and (each.noun, each.look) not in owned for each in seen)
    once = all(there[one.noun] == named[one.noun] for one in asked.wanted)
    companions = [there[noun] == named[noun] and _is_there(noun, colour, seen) for noun, colour in asked.companions]
    extra = unknown > 0 or any(noun not in named for noun in there)
    on_ground = None if asked.background is None else asked.background == ground
    is_right = all(count == 1 for count in counts) and once and all(companions)
    has_look = {one.placeholder: float(count > 0) for one, count in zip(asked.wanted, counts, strict=True)}
    order = asked.taught if len(asked.images) == 1 else ()
    first, second, *_ = (*(has_look.get(each.placeholder) for each in order), None, None)
    return {
        "carried": sum(count > 0 for count in counts) / len(counts),
        "first": first,
        "second": second,
        "leaked": float(leaked),
        "once": float(once),
        "companions": sum(companions) / len(companions) if companions else None,
        "extra": float(extra),
        "unasked": float(any(each.noun not in named and there[each.noun] > 0 for each in asked.taught)),
        "background": None if on_ground is None else float(on_ground),
        "success": float(is_right and not leaked and not extra and on_ground is not False),
    }


def _is_there(noun: str, colour: str | None, seen: Sequence[Sighting]) -> bool:
    """Return whether a thing is there in the colour that is named; if none is, an animal must have its own."""
    looks = [each.look for each in seen if each.noun == noun]
    if colour is not None:
        right = {colour} | ({NATURAL} if colour in (usual_colour(noun), *NEAR_NATURAL.get(noun, ())) else set())
    elif noun in ANIMALS:
        right = {NATURAL, *NEAR_NATURAL.get(noun, ())}
    else:
        right = {NATURAL, *COLOURS}
    return any(look in right for look in looks)


def _fitted(image: Image.Image) -> np.ndarray:
    rgb = image.convert("RGB")
    return np.asarray(rgb if rgb.size == (CANVAS, CANVAS) else rgb.resize((CANVAS, CANVAS), Image.Resampling.LANCZOS))
