"""Composites: the photos' things, cut out and laid on other grounds, alone and beside others, with captions of them.

A model that is shown one photo learns the photo: whatever it is asked for, the photo's ground and its other things come
along. Here no step sees the photo. Its things are cut out where masks or the untaught model's own maps find them (the
idea of Dwibedi et al., ICCV 2017, arXiv 1708.01642, without labels), and grounds and other things are cut out of class
images in the same way. Each thing that a caption names is in its composite once, and nothing else is. The same scenes
with the class instead of what is taught keep the class's meaning.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from heedful.attention import SiteSelection, TeachablePipeline
from heedful.errors import PromptError, SettingsError
from heedful.teaching.class_captions import thing_on_ground
from heedful.teaching.concepts import NewConcept, named
from heedful.teaching.cutouts import Cutout, Ground, cut_out, lay, take_away
from heedful.teaching.dataset import Size, TrainingImages, crop
from heedful.teaching.framing import Box, framed
from heedful.teaching.outlines import Mask, bounds, fit_masks, grown, largest_piece
from heedful.teaching.photos import Photo
from heedful.teaching.regions import find_regions, see

_LONGER_SIDE = {1: (0.42, 0.6), 2: (0.36, 0.5), 3: (0.3, 0.4)}
"""Bounds of a thing's longer side as a share of the image's, by the number of things; for more than 3 as for 4."""
_LONGER_SIDE_OF_MANY = (0.24, 0.32)
_SAYS_GROUND = 0.45
"""How often a caption names the ground, where it has room for it."""
_KINDS = {"alone": 0.28, "all": 0.22, "beside another": 0.22, "beside a class": 0.14, "all beside another": 0.14}
_LARGEST = 0.5
"""The share of an image above which what was found is the image, not a thing in it."""
_TRIES = 40

Part = tuple[str, Cutout]
"""How a caption says a thing, and the thing."""
Seed = int | Sequence[int]


@dataclass(frozen=True)
class Stock:
    """What composites are made of."""

    taught: Mapping[NewConcept, Sequence[Cutout]]
    others: Mapping[str, Sequence[Cutout]]
    """Cut out of class images, by how captions say them: "a red ball", "a cat"."""
    grounds: Sequence[tuple[str, Ground]]
    """With how captions say them: "on a beach"."""


def find_taught(
    pipe: TeachablePipeline,
    photos: Sequence[Photo],
    prompt: str,
    boxes: Sequence[Box | None],
    concepts: Sequence[NewConcept],
    size: Size,
    sites: SiteSelection,
    seed: int,
) -> dict[NewConcept, list[Cutout]]:
    """Return each concept cut out of the squares of the photos that show it: by masks, or where the model sees it.

    Raises `SettingsError` for a concept that is found nowhere.
    """
    found: dict[NewConcept, list[Cutout]] = {concept: [] for concept in concepts}
    for photo, keep in zip(photos, boxes, strict=True):
        caption = max(photo.captions or (prompt,), key=lambda text: len(named(text, concepts)))
        there = named(caption, concepts)
        square = crop(framed(photo.image, keep), size)
        masks = _told(photo, there, keep, size) or _seen(pipe, square, caption, there, sites, seed)
        for concept, mask in zip(there, fit_masks(square, masks), strict=True):
            if mask.any():
                found[concept].append(cut_out(square, mask))
    for concept, cutouts in found.items():
        if not cutouts:
            raise SettingsError(
                f"Expected to find {concept.placeholder} {concept.noun} in a photo, to make composites of it, but the "
                "model sees it nowhere. Give a mask or a box of it, or make no composites."
            )
    return found


def find_stock(
    pipe: TeachablePipeline,
    taught: Mapping[NewConcept, Sequence[Cutout]],
    class_images: TrainingImages,
    size: Size,
    sites: SiteSelection,
    seed: int,
) -> Stock:
    """Return what composites are made of: each class image gives its ground, and its thing if that is there whole.

    Raises `SettingsError` if there is no ground, and for captions that do not say one thing on one ground.
    """
    others: dict[str, list[Cutout]] = {}
    grounds: list[tuple[str, Ground]] = []
    for image, caption in zip(class_images.images, class_images.captions, strict=True):
        said, pixels = thing_on_ground(caption), crop(image, size)
        (region,) = see(pipe, Image.fromarray(pixels), caption, [said.noun], sites, seed)
        (mask,) = fit_masks(pixels, [region.mask])
        if not mask.any() or mask.mean() > _LARGEST:
            continue
        grounds.append((said.ground, take_away(pixels, mask)))
        if _is_whole(mask):
            others.setdefault(said.thing, []).append(cut_out(pixels, largest_piece(mask)))
    if not grounds:
        raise SettingsError(
            f"Expected class images with things that the model sees, to make composites of, got "
            f"{len(class_images.images)} in which it sees none. Give others, or make no composites."
        )
    return Stock(taught, others, grounds)


def compose(
    stock: Stock,
    count: int,
    size: Size,
    rng: np.random.Generator,
    fits: Callable[[str], bool],
    *,
    is_taught: bool,
    mirror: bool,
) -> TrainingImages:
    """Return `count` composites with captions, and masks of what counts: not what a thing was taken away from.

    - `fits`: whether the text encoder reads a caption whole.
    - `is_taught`: with what is taught, or with things of its classes in its place, of which the stock must have some.
    - `mirror`: whether things are mirrored half of the time.
    """
    images: list[Image.Image] = []
    masks: list[Image.Image] = []
    captions: list[str] = []
    while len(images) < count:
        parts = _draw_parts(stock, rng, is_taught)
        said, ground = stock.grounds[int(rng.integers(len(stock.grounds)))]
        caption = " and ".join(phrase for phrase, _ in parts)
        if not fits(caption):
            continue  # that of one thing alone always does
        if rng.random() < _SAYS_GROUND and fits(f"{caption} {said}"):
            caption = f"{caption} {said}"
        pixels, counts = _arranged(ground, [thing for _, thing in parts], rng, mirror)
        images.append(Image.fromarray(pixels))
        masks.append(Image.fromarray(counts.astype(np.uint8) * 255))
        captions.append(caption)
    return TrainingImages(tuple(images), tuple(captions), tuple(masks))


def _told(photo: Photo, concepts: Sequence[NewConcept], keep: Box | None, size: Size) -> list[Mask] | None:
    """Return the masks that a photo has, as its square shows them; None unless it has those of all concepts."""
    if any(concept.placeholder not in photo.regions for concept in concepts):
        return None
    return [crop(framed(photo.regions[each.placeholder], keep), size)[..., 0] > 127 for each in concepts]


def _seen(
    pipe: TeachablePipeline, square: np.ndarray, caption: str, concepts: Sequence[NewConcept], sites: SiteSelection,
    seed: int,
) -> list[Mask]:  # fmt: skip
    try:
        found = find_regions(pipe, Image.fromarray(square), caption, concepts, sites, seed)
    except PromptError as reason:
        raise SettingsError(
            f"Expected concepts that the model can tell apart in {caption!r}, to make composites of them ({reason}). "
            "Give a mask or a box of each, or make no composites."
        ) from reason
    return [segment.mask for segment in found]


def _is_whole(mask: Mask) -> bool:
    """Return whether a mask is one thing that the image's border does not cut."""
    left, top, right, bottom = bounds(mask)
    inside = left > 0 and top > 0 and right < mask.shape[1] and bottom < mask.shape[0]
    return inside and bool(largest_piece(mask).sum() >= 0.85 * mask.sum())


def _draw_parts(stock: Stock, rng: np.random.Generator, is_taught: bool) -> list[Part]:
    """Return the things of a composite in the order of its caption."""
    concepts = list(stock.taught)
    classes = {concept: phrase for concept in concepts for phrase in stock.others if phrase.split()[-1] == concept.noun}
    strange = [phrase for phrase in stock.others if phrase not in classes.values()]
    kind = str(rng.choice(list(_KINDS), p=np.array(list(_KINDS.values()))))
    chosen = concepts if kind.startswith("all") else [concepts[int(rng.integers(len(concepts)))]]
    parts = [_of_concept(stock, concept, classes, rng, is_taught) for concept in chosen]
    parts = [part for part in parts if part is not None]
    if kind.endswith("another") or not parts:
        parts += _some(stock, strange or list(stock.others), rng)
    elif kind == "beside a class":
        parts += _some(stock, [phrase for concept, phrase in classes.items() if concept not in chosen], rng)
    return [parts[int(index)] for index in rng.permutation(len(parts))]


def _of_concept(
    stock: Stock, concept: NewConcept, classes: Mapping[NewConcept, str], rng: np.random.Generator, is_taught: bool
) -> Part | None:
    """Return what is taught, or a thing of its class; None without one."""
    if is_taught:
        cutouts = stock.taught[concept]
        return f"a {concept.placeholder} {concept.noun}", cutouts[int(rng.integers(len(cutouts)))]
    return next(iter(_some(stock, [classes[concept]] if concept in classes else [], rng)), None)


def _some(stock: Stock, phrases: Sequence[str], rng: np.random.Generator) -> list[Part]:
    """Return one of the things of these phrases; none of none."""
    if not phrases:
        return []
    phrase = phrases[int(rng.integers(len(phrases)))]
    return [(phrase, stock.others[phrase][int(rng.integers(len(stock.others[phrase])))])]


def _arranged(
    ground: Ground, things: Sequence[Cutout], rng: np.random.Generator, mirror: bool
) -> tuple[np.ndarray, Mask]:
    """Return things on a ground, side by side, and where the image counts."""
    pixels, taken = ground.pixels, np.zeros_like(ground.is_filled)
    height, width = taken.shape
    low, high = _LONGER_SIDE.get(len(things), _LONGER_SIDE_OF_MANY)
    for index in rng.permutation(len(things)):
        thing = things[int(index)]
        for attempt in range(_TRIES):
            # it shrinks until it finds room
            scale = rng.uniform(low, high) * 0.97**attempt * min(height, width) / max(thing.image.size)
            across, down = thing.image.width * scale / 2, thing.image.height * scale / 2
            middle = (float(rng.uniform(across, width - across)), float(rng.uniform(down, height - down)))
            laid, where = lay(pixels, thing, middle, scale, mirrored=mirror and bool(rng.random() < 0.5))
            if attempt == _TRIES - 1 or not (grown(where, 1) & taken).any():
                pixels, taken = laid, taken | where
                break
    return pixels, ~ground.is_filled | taken
