"""Answers to the prompts of one-image concepts by whoever was taught nothing: what a table of teaching stands between.

The training image for every prompt, the scene drawn exactly as the prompt says, and the untaught model.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from instance_score import draw_placed, through
from PIL import Image

import heedful
from heedful.guidance import NONE, Method, methods
from heedful.image_files import read_image
from heedful.images import paint
from heedful.images.sampling import Sampling
from heedful.prompts import Prompt
from heedful.world import ANIMALS, BACKGROUNDS, CLASSES, COLOURS, NATURAL, Item, Look, Scene, render
from heedful.world.instances import InstanceImage
from heedful.world.scene import PASTELS
from heedful.world.tokenizer import build_tokenizer

SAMPLING = Sampling(steps=20, guidance_scale=3.0, width=64, height=64)
Answer = Callable[[InstanceImage, Sequence[str], int, str], list[Image.Image]]
"""(training image, texts of its prompts, seed, an embedded model by name) -> an image for each text."""


def training_image(photo: InstanceImage, texts: Sequence[str], seed: int, model: str) -> list[Image.Image]:
    """Return the training image for every prompt: what has memorised and obeys nothing."""
    return [read_image(photo.file)] * len(texts)


def drawn_exactly(photo: InstanceImage, texts: Sequence[str], seed: int, model: str) -> list[Image.Image]:
    """Return scenes drawn as the prompts say, as the world's autoencoder shows them: the ceiling."""
    rng = np.random.default_rng((seed, 21))
    scenes = np.stack([render(scene_of(rng, photo, text)) for text in texts])
    shown = through(load_untaught(model).vae, scenes, 0.0, torch.Generator())
    return [Image.fromarray(each) for each in shown]


def untaught(
    photo: InstanceImage, texts: Sequence[str], seed: int, model: str, method: Method = NONE
) -> list[Image.Image]:
    """Return what the model generates for the class nouns, without placeholders."""
    return _generated([_without_placeholders(text) for text in texts], seed, model, method)


def described(
    photo: InstanceImage, texts: Sequence[str], seed: int, model: str, method: Method = NONE
) -> list[Image.Image]:
    """Return what the model generates when a look is said in a word that it knows: the first colour that is not the
    thing's own.
    """
    return _generated(described_texts(photo, texts), seed, model, method)


def described_texts(photo: InstanceImage, texts: Sequence[str]) -> list[str]:
    """Return prompts that say the first colour of each look that is not the thing's own, instead of its placeholder."""
    said = []
    for text in texts:
        for each in photo.instances:
            colour = each.look.second if each.look.first == NATURAL else each.look.first
            text = text.replace(f"{each.placeholder} {each.noun}", f"{colour} {each.noun}")
        said.append(text)
    return said


def with_placeholders(*photos: InstanceImage) -> Any:
    """Return the world's tokenizer with the placeholders of images, as a taught pipeline has it."""
    tokenizer = build_tokenizer()
    tokenizer.add_tokens([each.placeholder for photo in photos for each in photo.instances])
    return tokenizer


def scene_of(rng: np.random.Generator, photo: InstanceImage, text: str) -> Scene:
    """Draw what a prompt asks for."""
    looks = {each.placeholder: each.look for each in photo.instances}
    words = text.split()
    things: list[tuple[str, str | None, Look | None]] = []
    for before, noun in pairwise(words):
        if noun in CLASSES:
            free = None if noun in ANIMALS else str(rng.choice(COLOURS))
            things.append((noun, before if before in COLOURS else free, looks.get(before)))
    ground = words[-2] if words[-1] == "background" else str(rng.choice(BACKGROUNDS))
    items: tuple[Item, ...] = draw_placed(rng, things)
    return Scene(items, ground, PASTELS[ground], text)


def _without_placeholders(text: str) -> str:
    return " ".join(word for word in text.split() if not word.startswith("<"))


@cache
def load_untaught(model: str) -> Any:
    """Return an untaught model, loaded once for all images and seeds."""
    pipe = heedful.world.load(model)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _generated(texts: Sequence[str], seed: int, model: str, method: Method) -> list[Image.Image]:
    pipe = load_untaught(model)
    prompts = [Prompt.parse(text, pipe.tokenizer) for text in texts]
    return paint(pipe, SAMPLING, prompts, method, [1000 * index + seed for index in range(len(texts))]).images


ANSWERS: dict[str, Answer] = {
    "training-image": training_image,
    "untaught": untaught,
    "described": described,
    "untaught-guided": partial(untaught, method=methods.HEEDFUL),
    "described-guided": partial(described, method=methods.HEEDFUL),
    "drawn-exactly": drawn_exactly,
}
