"""What the square of each photo must keep: told by its masks, or by where the model itself sees its concepts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from heedful.attention import TeachablePipeline, find_denoiser
from heedful.errors import PromptError
from heedful.teaching.concepts import NewConcept, named
from heedful.teaching.dataset import Size
from heedful.teaching.families import family_of
from heedful.teaching.framing import Box, box_around, letterboxed, told_by_masks
from heedful.teaching.photos import Photo
from heedful.teaching.regions import find_regions
from heedful.teaching.settings import TeachingSettings


def told_boxes(photos: Sequence[Photo], settings: TeachingSettings) -> list[Box | None]:
    """Return what masks ask to keep of each photo; None for one without, and for all if the centres are learnt."""
    return [told_by_masks(photo) if settings.crop == "concepts" else None for photo in photos]


def kept_boxes(
    pipe: TeachablePipeline,
    photos: Sequence[Photo],
    prompt: str,
    concepts: Sequence[NewConcept],
    settings: TeachingSettings,
    size: Size,
    seed: int,
) -> list[Box | None]:
    """Return what to keep of each photo: told by masks, or, of one that is no square, by the model's own maps.

    None where nothing is known: where the model sees no concept, and for text encoders without a start token, with
    whose maps nothing can be told from the background.
    """
    boxes = told_boxes(photos, settings)
    denoiser: Any = find_denoiser(pipe)
    if settings.crop == "centre" or not family_of(denoiser).has_start:
        return boxes
    return [
        _seen(pipe, photo, _fullest(photo.captions or (prompt,), concepts), concepts, settings, size, seed)
        if box is None and photo.image.width != photo.image.height
        else box
        for photo, box in zip(photos, boxes, strict=True)
    ]


def _fullest(captions: Sequence[str], concepts: Sequence[NewConcept]) -> str:
    """Return the caption that names the most concepts."""
    return max(captions, key=lambda caption: len(named(caption, concepts)))


def _seen(
    pipe: TeachablePipeline,
    photo: Photo,
    caption: str,
    concepts: Sequence[NewConcept],
    settings: TeachingSettings,
    size: Size,
    seed: int,
) -> Box | None:
    """Return the box of where the model, as it is, sees the concepts of a caption in a photo."""
    square, (left, top, right, bottom) = letterboxed(photo.image, size[0])
    try:
        found = find_regions(pipe, square, caption, named(caption, concepts), settings.sites, seed)
    except PromptError:  # two concepts of one noun: without their words the model cannot tell them apart
        return None
    masks = [Image.fromarray(segment.mask.astype(np.uint8) * 255).crop((left, top, right, bottom)) for segment in found]
    box = box_around(masks)
    if box is None:
        return None
    factor = photo.image.width / (right - left)
    width, height = photo.image.size
    return (
        max(0, int(box[0] * factor)),
        max(0, int(box[1] * factor)),
        min(width, round(box[2] * factor)),
        min(height, round(box[3] * factor)),
    )
