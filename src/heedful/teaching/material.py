"""What a training shows: the squares of photos, or composites of them, and class images."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from heedful.attention import TeachablePipeline, find_denoiser
from heedful.errors import PromptTooLong, SettingsError
from heedful.options import ClassImageOptions
from heedful.teaching.class_captions import thing_on_ground, varied_captions
from heedful.teaching.class_images import CLASS_IMAGES, METADATA, captions_in, images_in, make_class_images
from heedful.teaching.composites import compose, find_stock, find_taught
from heedful.teaching.concepts import NewConcept, class_prompt, named
from heedful.teaching.dataset import Size, TrainingImages, join
from heedful.teaching.framing import Box
from heedful.teaching.methods import TeachingMethod
from heedful.teaching.photos import Photo
from heedful.teaching.reading import Read, reader_of
from heedful.teaching.regions import each_alone
from heedful.teaching.settings import TeachingSettings

_COMPOSING = 21
"""Sets the random numbers of composites apart from those of the steps."""
Material = tuple[TrainingImages, TrainingImages | None]
"""Training images; and class images, or None without prior preservation."""


def class_prompts_of(
    pipe: TeachablePipeline,
    given: Sequence[str],
    method: TeachingMethod,
    settings: TeachingSettings,
    prompt: str,
    concepts: Sequence[NewConcept],
) -> tuple[str, ...]:
    """Return what class images show: what is `given`; else, for composites, single things on single grounds; else the
    prompt's classes, and each alone if the concepts are shown so too.

    Raises `SettingsError` for prompts of which no composites can be made, and `PromptError` for those that cannot be
    read.
    """
    if settings.composites:
        nouns = [concept.noun for concept in concepts]
        prompts = tuple(given) or varied_captions(find_denoiser(pipe), nouns, settings.num_class_images)
        read = reader_of(pipe)
        for each in prompts:
            thing_on_ground(each)
            read(each)
        return prompts
    alone = method.shows_each_alone and len(concepts) > 1
    return tuple(given) or (class_prompt(prompt), *(f"a {each.noun}" for each in concepts if alone))


def shelf_of(folder: Path, prompts: Sequence[str]) -> Path:
    """Return the folder of the class images in OUT; raise `SettingsError` if they show something else."""
    shelf = folder / CLASS_IMAGES
    other = sorted(set(captions_in(shelf).values()).difference(prompts))
    if other:
        raise SettingsError(
            f"Expected class images of {', '.join(map(repr, prompts))} in {shelf}, got some of {other[0]!r}, from "
            "another training. Choose another folder, overwrite what is there, or name these images as your own."
        )
    return shelf


def check_said(shelf: Path) -> None:
    """Raise `SettingsError` for class images that lie there without a caption: composites say what is on them."""
    said = captions_in(shelf)
    silent = [file.name for file in images_in(shelf) if file.name not in said]
    if silent:
        raise SettingsError(
            f"Expected a caption of one thing on one ground for each class image in {shelf}, of which composites are "
            f"made, got none for {silent[0]} in its {METADATA}. Write one, or make no composites."
        )


def make_material(
    pipe: TeachablePipeline,
    method: TeachingMethod,
    settings: TeachingSettings,
    photos: Sequence[Photo],
    boxes: Sequence[Box | None],
    squares: TrainingImages,
    prompt: str,
    concepts: Sequence[NewConcept],
    prompts: Sequence[str],
    shelf: Path,
    options: ClassImageOptions,
    *,
    size: Size,
    seed: int,
    read: Read,
    turn: Callable[[], AbstractContextManager[Any]],
    on_class_image: Callable[[int, int], None],
) -> Material:
    """Return what a training shows, while the pipeline is untaught.

    - `squares`: what is learnt of the photos, of which `boxes` say what is kept.
    - `shelf`: the folder of the class images, which show the `prompts`.
    - `read`: how the pipeline will read captions once it knows the new words.
    - `turn`: opened while class images are generated: of several processes the first does it, and the others read.
    """
    shown, prior = squares, None
    if method.shows_each_alone:
        parts = (
            each_alone(pipe, image, caption, named(caption, concepts), size, settings.sites, seed)
            for image, caption in zip(squares.images, squares.captions, strict=True)
        )
        shown = join(squares, *parts)
    if settings.composites:
        check_said(shelf)
    if settings.with_prior_preservation or settings.composites:
        with turn():
            prior = make_class_images(
                pipe, prompts, settings.num_class_images, shelf, options, size=size, seed=seed, on_image=on_class_image
            )
    if settings.composites and prior is not None:
        taught = find_taught(pipe, photos, prompt, boxes, concepts, size, settings.sites, seed)
        stock = find_stock(pipe, taught, prior, size, settings.sites, seed)
        rng = np.random.default_rng([seed, _COMPOSING])
        mirror, fits = settings.augmentation != "none", partial(_fits, read)
        shown = compose(stock, settings.composites, size, rng, fits, is_taught=True, mirror=mirror)
        if stock.others:
            prior = compose(stock, settings.composites, size, rng, fits, is_taught=False, mirror=mirror)
    return shown, prior if settings.with_prior_preservation else None


def _fits(read: Read, caption: str) -> bool:
    try:
        read(caption)
    except PromptTooLong:
        return False
    return True
