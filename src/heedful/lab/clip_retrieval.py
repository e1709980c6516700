"""How well a CLIP tells images of the world apart: retrieval among 100 captions, and captions with one wrong word.

It works with any `CLIPModel` and its processor, on renders from seeds that training never drew.
"""

from typing import Any

import numpy as np
import torch
from PIL import Image

from heedful.scores import embed_images, embed_texts
from heedful.world import Item, Scene, random_scene, render
from heedful.world.training import wrong_caption

RETRIEVAL_SEED = 88_000_000
CAPTIONS = 100


def retrieval_figures(model: Any, processor: Any, sets: int = 10) -> dict[str, float]:
    """Return top-1 accuracy of caption to image and of image to caption among 100 scenes with different content.

    `wrong_caption` is the share of images nearer to their caption than to one with two colours swapped, or one colour
    or class changed. Each caption names every object with its colour; a third of the scenes has 1, 2 and 3 objects.
    """
    rng = np.random.default_rng(RETRIEVAL_SEED)
    to_picture, to_caption, told_apart = [], [], []
    for _ in range(sets):
        scenes = _different_scenes(rng)
        captions = [scene.caption for scene in scenes]
        images = embed_images(model, processor, [Image.fromarray(render(scene)) for scene in scenes])
        scores = images @ embed_texts(model, processor, captions).T
        wrong = embed_texts(model, processor, [wrong_caption(rng, scene) for scene in scenes])
        right = torch.arange(len(scenes))
        to_picture.append((scores.argmax(0) == right).double().mean())
        to_caption.append((scores.argmax(1) == right).double().mean())
        told_apart.append((scores.diagonal() > (images * wrong).sum(1)).double().mean())
    return {
        "caption_to_picture": float(torch.stack(to_picture).mean()),
        "picture_to_caption": float(torch.stack(to_caption).mean()),
        "wrong_caption": float(torch.stack(told_apart).mean()),
        "captions": float(CAPTIONS),
        "sets": float(sets),
    }


def _different_scenes(rng: np.random.Generator) -> list[Scene]:
    scenes: dict[frozenset[tuple[str, str | None]], Scene] = {}
    while len(scenes) < CAPTIONS:
        scene = random_scene(rng, count=1 + len(scenes) % 3)
        caption = " and ".join(_phrase(item) for item in scene.items)
        content = frozenset((item.name, item.colour) for item in scene.items)
        scenes.setdefault(content, Scene(scene.items, scene.background, scene.tint, caption, scene.canvas))
    return list(scenes.values())


def _phrase(item: Item) -> str:
    return f"a {item.name}" if item.colour is None else f"a {item.colour} {item.name}"
