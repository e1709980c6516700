"""A scene of the world as data: which objects stand where, in which colour, on which background, and its caption.

Knows no pixels: `render.py` draws scenes. All randomness comes from the generator that is passed in.
"""

from dataclasses import dataclass

import numpy as np

from heedful.world.looks import Look
from heedful.world.vocabulary import ANIMALS, BACKGROUNDS, COLOURS, OBJECTS

CANVAS = 64
HELD_OUT_SHARE = 0.3
ACCESSORIES = ("bow", "crown", "glasses")


@dataclass(frozen=True)
class Item:
    """One object: class, colour (None: an animal in its own colours), centre and longer side in pixels.

    A `look` takes the place of the colour; no scene of the training has one.
    """

    name: str
    colour: str | None
    x: int
    y: int
    size: int
    mirrored: bool = False
    angle: int = 0
    look: Look | None = None


@dataclass(frozen=True)
class Scene:
    """Items on a plain background of one pastel colour; `canvas` is the side of the square picture in pixels."""

    items: tuple[Item, ...]
    background: str
    tint: tuple[int, int, int]
    caption: str
    canvas: int = CANVAS


PASTELS = {
    "blue": (190, 212, 240), "gray": (206, 206, 208), "green": (198, 228, 196), "pink": (242, 206, 220),
    "purple": (216, 204, 238), "white": (232, 232, 232), "yellow": (242, 234, 190),
}  # fmt: skip

_FAINT_ON = {colour: (colour,) for colour in BACKGROUNDS} | {"white": ("white", "yellow")}
PALE_ANIMALS = {"elephant": ("gray",), "mouse": ("gray", "white"), "rabbit": ("gray", "white")}
"""On which backgrounds an object of a colour, or an animal, is hardly seen, and learnt as a faint blur."""

_USUAL_COLOURS = {
    "apple": "red", "backpack": "blue", "balloon": "red", "bench": "brown", "bow": "pink", "bowl": "blue", "car": "red",
    "chair": "brown", "clock": "red", "crown": "yellow", "glasses": "black", "suitcase": "brown",
}  # fmt: skip
"""The colour of an object that a caption names without one."""

_DRAWN_COLOURS = (*COLOURS, "white")  # twice: thin white objects are the hardest to learn


def held_out_pairs() -> frozenset[frozenset[str]]:
    """The 30 % of class pairs that no training scene ever shows together (stated seed 2301)."""
    classes = ANIMALS + OBJECTS
    pairs = [frozenset((a, b)) for i, a in enumerate(classes) for b in classes[i + 1 :]]
    order = np.random.default_rng(2301).permutation(len(pairs))
    return frozenset(pairs[i] for i in order[: round(HELD_OUT_SHARE * len(pairs))])


_HELD_OUT = held_out_pairs()


def is_held_out(names: tuple[str, ...]) -> bool:
    """Whether any two of these classes are a pair that training never showed together."""
    return any(frozenset((a, b)) in _HELD_OUT for i, a in enumerate(names) for b in names[i + 1 :] if a != b)


def random_scene(
    rng: np.random.Generator,
    *,
    count: int,
    canvas: int = CANVAS,
    sizes: tuple[int, int] | None = None,
    unseen_pairs: bool = False,
) -> Scene:
    """Draw a scene of `count` objects of different classes, nearly without overlap, with its caption.

    `sizes` bounds the longer side of an object in pixels. `unseen_pairs=True` draws only scenes that hold a pair kept
    out of training, `False` only scenes that hold none.
    """
    names = _draw_names(rng, count, unseen_pairs)
    low, high = sizes or {1: (28, 44), 2: (24, 32), 3: (20, 25)}[count]
    items = _place(rng, names, low, high, canvas)
    named = rng.random() < 0.12
    background = _draw_background(rng, items, named)
    tint = tuple(int(v) for v in np.clip(np.array(PASTELS[background]) + rng.integers(-5, 6, 3), 0, 255))
    return Scene(items, background, tint, _caption(rng, items, background if named else None), canvas)  # pyright: ignore[reportArgumentType]


def _draw_names(rng: np.random.Generator, count: int, unseen_pairs: bool) -> tuple[str, ...]:
    while True:
        kinds = rng.choice(["animal", "object"], size=count, p=[0.5, 0.5] if count > 1 else [0.4, 0.6])
        names = tuple(str(rng.choice(ANIMALS if kind == "animal" else OBJECTS)) for kind in kinds)
        if len(set(names)) == count and (count == 1 or is_held_out(names) == unseen_pairs):
            return names


def _place(rng: np.random.Generator, names: tuple[str, ...], low: int, high: int, canvas: int) -> tuple[Item, ...]:
    while True:
        items: list[Item] = []
        for name in names:
            size = int(rng.integers(low, high + 1))
            half = size // 2
            for _ in range(20):
                x, y = (int(v) for v in rng.integers(half, canvas - half + 1, 2))
                if all(max(abs(x - o.x), abs(y - o.y)) >= 0.9 * (half + o.size // 2) for o in items):
                    break
            else:
                break
            items.append(
                Item(
                    name,
                    _draw_colour(rng, name, len(names)),
                    x,
                    y,
                    size,
                    bool(rng.random() < 0.5),
                    int(rng.integers(-5, 6)),
                )
            )
        if len(items) == len(names):
            return tuple(items)


def _draw_colour(rng: np.random.Generator, name: str, count: int) -> str | None:
    if name in ANIMALS:
        return None
    # the benchmark names bow, crown and glasses without a colour when an animal wears them
    usual_share = 0.4 if name in ACCESSORIES else 0.3 if count == 1 else 0.2
    return _USUAL_COLOURS[name] if rng.random() < usual_share else str(rng.choice(_DRAWN_COLOURS))


def _draw_background(rng: np.random.Generator, items: tuple[Item, ...], named: bool) -> str:
    unfit: set[str] = set()
    if not named:
        unfit.update(
            *(_FAINT_ON[item.colour] if item.colour in _FAINT_ON else PALE_ANIMALS.get(item.name, ()) for item in items)
        )
    return str(rng.choice([background for background in BACKGROUNDS if background not in unfit]))


def _caption(rng: np.random.Generator, items: tuple[Item, ...], background: str | None) -> str:
    phrases = []
    for item in items:
        usual = item.colour == _USUAL_COLOURS.get(item.name)
        said = item.colour is not None and (not usual or rng.random() < 0.25)
        phrases.append(f"a {item.colour} {item.name}" if said else f"a {item.name}")
    joiner = " and "
    if len(items) == 2 and items[0].name in ANIMALS and items[1].name in ACCESSORIES and rng.random() < 0.5:
        joiner = " with "
    return joiner.join(phrases) + (f" on a {background} background" if background else "")
