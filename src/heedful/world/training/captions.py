"""Captions as noisy as alt text: what they skip, what they name that is not there, whose colours they swap."""

from dataclasses import dataclass, replace

import numpy as np

from heedful.world.scene import USUAL_SAID, Item, Scene, describe, draw_item_like, usual_colour


@dataclass(frozen=True, kw_only=True)
class CaptionNoise:
    """How often a caption is wrong, each a probability in [0, 1]; 0 everywhere is the scene's own caption.

    - `absent`: a scene of one object is captioned with a second one that is not there.
    - `unnamed`: of two objects the smaller one is not named.
    - `swapped`: of two objects each is named in the colour of the other.
    - `colourless`: the colour of an object is not named.
    - `largest_first`: the larger of two objects is named first; None: whichever lies behind.
    - `left_first`: the left one of two objects is named first, as people read a picture; where it is not, and None:
      `largest_first` decides.
    """

    absent: float = 0.0
    unnamed: float = 0.0
    swapped: float = 0.0
    colourless: float = 0.0
    largest_first: float | None = None
    left_first: float | None = None


TRUE_CAPTIONS = CaptionNoise()
ALT_TEXT = CaptionNoise(absent=0.05, unnamed=0.01, swapped=0.3, colourless=0.08, largest_first=0.7)


def noisy_caption(rng: np.random.Generator, scene: Scene, noise: CaptionNoise) -> str:
    """What a careless writer says of a scene; the scene's own caption, and no random number drawn, without noise."""
    if noise == TRUE_CAPTIONS:
        return scene.caption
    items = [_as_said(rng, item) for item in scene.items]
    if len(items) == 1 and rng.random() < noise.absent:
        ghost = _as_said(rng, draw_item_like(rng, items[0]))
        items = [items[0], ghost] if rng.random() < 0.5 else [ghost, items[0]]
    elif len(items) == 2:
        items = _of_two(rng, items, noise)
    items = [replace(item, colour=None) if rng.random() < noise.colourless else item for item in items]
    named = scene.background if scene.caption.endswith("background") else None
    return describe(rng, items, named)


def _of_two(rng: np.random.Generator, items: list[Item], noise: CaptionNoise) -> list[Item]:
    smaller, larger = sorted(items, key=lambda item: item.size)
    if noise.largest_first is not None:
        items = [larger, smaller] if rng.random() < noise.largest_first else [smaller, larger]
    if noise.left_first is not None and rng.random() < noise.left_first:
        items = sorted(items, key=lambda item: item.x)
    if rng.random() < noise.unnamed:
        return [larger]
    if rng.random() < noise.swapped:
        first, second = items
        return [replace(first, colour=second.colour), replace(second, colour=first.colour)]
    return items


def _as_said(rng: np.random.Generator, item: Item) -> Item:
    """An object in its usual colour mostly has none in a caption."""
    is_unsaid = item.colour == usual_colour(item.name) and rng.random() >= USUAL_SAID
    return replace(item, colour=None) if is_unsaid else item
