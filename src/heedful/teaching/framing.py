"""Which square of a photo is learnt: one that keeps every concept, told by masks, or by the model's own maps."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from heedful.teaching.concepts import PLACEHOLDER
from heedful.teaching.dataset import GRAY, TrainingImages
from heedful.teaching.photos import Photo

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels, right and bottom excluded; it may reach beyond the image."""


def box_around(masks: Iterable[Image.Image]) -> Box | None:
    """Return the smallest box that holds what is white in any of the masks; None if nothing is."""
    boxes = [box for mask in masks if (box := mask.getbbox()) is not None]
    if not boxes:
        return None
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def told_by_masks(photo: Photo) -> Box | None:
    """Return what a photo's masks ask to keep: its concepts, or what counts; None without masks."""
    return box_around(photo.regions.values()) or (None if photo.mask is None else box_around([photo.mask]))


def square_around(size: tuple[int, int], keep: Box) -> Box:
    """Return the square with all of `keep` in an image of `size` (width, height), as near to its middle as possible.

    Its side is the image's shorter one, so that as much as possible is seen, or the longer one of `keep` if that is
    more: then the square reaches beyond the image.
    """
    side = max(min(size), keep[2] - keep[0], keep[3] - keep[1])
    starts = [_start(length, side, (low, high)) for length, low, high in zip(size, keep[:2], keep[2:], strict=True)]
    return starts[0], starts[1], starts[0] + side, starts[1] + side


def frame(photos: Sequence[Photo], prompt: str, boxes: Sequence[Box | None]) -> TrainingImages:
    """Return the squares of photos that are learnt, with captions and masks; `prompt` is the caption of those without.

    `boxes` are what each photo must keep; None leaves it as it is, and its middle is learnt. Beyond an image it is
    gray, which does not count. A photo of several captions stands there once with each, and all photos equally often.
    """
    captions = [photo.captions or (prompt,) for photo in photos]
    times = math.lcm(*map(len, captions))
    images: list[Image.Image] = []
    masks: list[Image.Image | None] = []
    said: list[str] = []
    for photo, texts, keep in zip(photos, captions, boxes, strict=True):
        image, mask = _cut(photo, texts, keep)
        said += texts * (times // len(texts))
        images += [image] * times
        masks += [mask] * times
    if all(mask is None for mask in masks):
        return TrainingImages(tuple(images), tuple(said))
    whole = (mask or Image.new("L", image.size, 255) for image, mask in zip(images, masks, strict=True))
    return TrainingImages(tuple(images), tuple(said), tuple(whole))


def letterboxed(image: Image.Image, side: int) -> tuple[Image.Image, Box]:
    """Return the whole image on a gray square of `side` pixels, and the box in which it stands there."""
    factor = side / max(image.size)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    canvas = Image.new("RGB", (side, side), GRAY)
    canvas.paste(image.resize(size, Image.Resampling.LANCZOS), (left, top))
    return canvas, (left, top, left + size[0], top + size[1])


def framed(image: Image.Image, keep: Box | None) -> Image.Image:
    """Return the square around `keep` of an image or mask, gray or black beyond it; all of it if `keep` is None."""
    if keep is None:
        return image
    box = square_around(image.size, keep)
    if box == (0, 0, image.width, image.height):
        return image
    canvas = Image.new(image.mode, (box[2] - box[0], box[3] - box[1]), GRAY if image.mode == "RGB" else 0)
    canvas.paste(image, (-box[0], -box[1]))
    return canvas


def _start(length: int, side: int, keep: tuple[int, int]) -> int:
    """Return where a window of `side` begins along an axis of `length`, around `keep`."""
    if side >= length:
        return -((side - length) // 2)
    return min(max(0, (keep[0] + keep[1] - side) // 2), length - side)


def _cut(photo: Photo, captions: Sequence[str], keep: Box | None) -> tuple[Image.Image, Image.Image | None]:
    """Return the square around `keep` of an image, and of what counts in it; None if all of it does."""
    counts = _counts(photo, captions)
    if keep is None:
        return photo.image, counts
    box = square_around(photo.image.size, keep)
    width, height = photo.image.size
    if box == (0, 0, width, height):
        return photo.image, counts
    reaches_out = box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height
    if counts is None and reaches_out:
        counts = Image.new("L", photo.image.size, 255)
    # a mask has nothing beyond the image
    return framed(photo.image, keep), None if counts is None else counts.crop(box)


def _counts(photo: Photo, captions: Sequence[str]) -> Image.Image | None:
    """Return where a photo counts; None if everywhere."""
    named = {word for caption in captions for word in PLACEHOLDER.findall(caption)}
    if photo.mask is not None or not named or not named <= set(photo.regions):
        return photo.mask
    return Image.fromarray(np.maximum.reduce([np.asarray(photo.regions[word]) for word in sorted(named)]))
