"""A scene of the world as data: which objects stand where, in which colour, on which background, and its caption.

`render.py` draws scenes. All randomness comes from the generator that is passed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from heedful.world.looks import Look
from heedful.world.style import APART, Style
from heedful.world.vocabulary import ANIMALS, BACKGROUNDS, COLOURS, OBJECTS

CANVAS = 64
HELD_OUT_SHARE = 0.3
ACCESSORIES = ("bow", "crown", "glasses")


@dataclass(frozen=True)
class Item:
    """One object: class, colour (None: an animal in its own colours), centre and longer side in pixels.

    A `look` replaces the colour; no scene of the training has one.
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
    """Items on a plain background of one pastel colour; `canvas` is the side of the square image in pixels."""

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

NEAR_NATURAL = {
    "bear": ("brown",), "bird": ("blue",), "cat": ("yellow", "orange"), "dog": ("white", "brown"),
    "elephant": ("gray", "white"), "frog": ("green", "yellow"), "horse": ("orange", "brown"),
    "lion": ("brown", "yellow", "orange"), "monkey": ("brown", "orange"), "mouse": ("gray", "white", "pink"),
    "rabbit": ("gray", "white"), "turtle": ("green",),
}  # fmt: skip
"""The colours in which a painted animal can hardly be told from its natural self."""

_USUAL_COLOURS = {
    "apple": "red", "backpack": "blue", "balloon": "red", "bench": "brown", "bow": "pink", "bowl": "blue", "car": "red",
    "chair": "brown", "clock": "red", "crown": "yellow", "glasses": "black", "suitcase": "brown",
}  # fmt: skip
"""The colour of an object that a caption names without one."""

USUAL_SAID = 0.25
"""How often a caption names an object's usual colour."""

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


@cache
def rare_pairs(share: float) -> frozenset[frozenset[str]]:
    """The share of class pairs that a skewed style draws a tenth as often as the others (stated seed 2302)."""
    classes = ANIMALS + OBJECTS
    pairs = [frozenset((a, b)) for i, a in enumerate(classes) for b in classes[i + 1 :]]
    order = np.random.default_rng(2302).permutation(len(pairs))
    return frozenset(pairs[i] for i in order[: round(share * len(pairs))])


def usual_colour(name: str) -> str | None:
    """The colour that an object named without one has; None for an animal."""
    return _USUAL_COLOURS.get(name)


def random_scene(
    rng: np.random.Generator,
    *,
    count: int,
    canvas: int = CANVAS,
    sizes: tuple[int, int] | None = None,
    unseen_pairs: bool = False,
    style: Style = APART,
) -> Scene:
    """Draw a scene of `count` objects of different classes with its caption.

    - `sizes`: bounds of the longer side of an object in pixels, instead of the style's.
    - `unseen_pairs`: True draws only scenes that hold a pair kept out of training, False only scenes that hold none.
    - `style`: how the objects are composed.
    """
    names = _draw_names(rng, count, unseen_pairs, style)
    low, high = sizes or style.sizes[count - 1]
    items = _place(rng, names, low, high, canvas, style)
    named = rng.random() < 0.12
    background = _draw_background(rng, items, named, style)
    tint = tuple(int(v) for v in np.clip(np.array(PASTELS[background]) + rng.integers(-5, 6, 3), 0, 255))
    return Scene(items, background, tint, _caption(rng, items, background if named else None), canvas)  # pyright: ignore[reportArgumentType]


def draw_item_like(rng: np.random.Generator, item: Item) -> Item:
    """An object of another class at the same position and size, in any colour."""
    kind = ANIMALS if rng.random() < 0.5 else OBJECTS
    name = str(rng.choice([name for name in kind if name != item.name]))
    return Item(name, _draw_colour(rng, name, 2, APART), item.x, item.y, item.size)


def _draw_names(rng: np.random.Generator, count: int, unseen_pairs: bool, style: Style) -> tuple[str, ...]:
    while True:
        kinds = rng.choice(["animal", "object"], size=count, p=[0.5, 0.5] if count > 1 else [0.4, 0.6])
        if style.class_skew > 0:
            names = tuple(_skewed(rng, ANIMALS if kind == "animal" else OBJECTS, style.class_skew) for kind in kinds)
        else:
            names = tuple(str(rng.choice(ANIMALS if kind == "animal" else OBJECTS)) for kind in kinds)
        if len(set(names)) != count or (count > 1 and is_held_out(names) != unseen_pairs):
            continue
        is_rare = count == 2 and style.rare_pairs > 0 and frozenset(names) in rare_pairs(style.rare_pairs)
        if not is_rare or rng.random() < 0.1:
            return names


def _skewed(rng: np.random.Generator, names: Sequence[str], exponent: float) -> str:
    """A class by Zipf's law, the ranks in an order of their own (stated seed 2303)."""
    ranks = np.random.default_rng(2303).permutation(len(names)) + 1
    shares = ranks**-exponent
    return str(rng.choice(names, p=shares / shares.sum()))


def _place(
    rng: np.random.Generator, names: tuple[str, ...], low: int, high: int, canvas: int, style: Style
) -> tuple[Item, ...]:
    while True:
        items: list[Item] = []
        for name in names:
            size = int(rng.integers(low, high + 1))
            half = size // 2
            for _ in range(20):
                x, y = _middle(rng, half, canvas, style.grid)
                if all(max(abs(x - o.x), abs(y - o.y)) >= style.spacing * (half + o.size // 2) for o in items):
                    break
            else:
                break
            items.append(
                Item(
                    name,
                    _draw_colour(rng, name, len(names), style),
                    x,
                    y,
                    size,
                    bool(rng.random() < 0.5),
                    int(rng.integers(-style.tilt, style.tilt + 1)),
                )
            )
        if len(items) == len(names) and (style.visible == 0 or _visible(items) >= style.visible):
            return tuple(items)


def _middle(rng: np.random.Generator, half: int, canvas: int, grid: int) -> tuple[int, int]:
    """Where an object stands that lies on the canvas whole, on the grid if there is such a position."""
    first, last = -(-half // grid), (canvas - half) // grid
    if last < first:
        return canvas // 2, canvas // 2
    x, y = (grid * int(v) for v in rng.integers(first, last + 1, 2))
    return x, y


def _visible(items: Sequence[Item]) -> float:
    """The least share of an item's square that the squares of later items leave free."""
    shares = [1.0]
    for index, item in enumerate(items):
        for other in items[index + 1 :]:
            reach = (item.size + other.size) / 2
            width = min(max(reach - abs(item.x - other.x), 0), item.size, other.size)
            height = min(max(reach - abs(item.y - other.y), 0), item.size, other.size)
            shares.append(1 - width * height / item.size**2)
    return min(shares)


def _draw_colour(rng: np.random.Generator, name: str, count: int, style: Style) -> str | None:
    if name in ANIMALS:
        is_painted = style.painted_animals > 0 and rng.random() < style.painted_animals
        return str(rng.choice([c for c in COLOURS if c not in NEAR_NATURAL[name]])) if is_painted else None
    # the benchmark names bow, crown and glasses without a colour when an animal wears them
    usual_share = 0.4 if name in ACCESSORIES else 0.3 if count == 1 else 0.2
    if style.usual_colour is not None:
        usual_share = style.usual_colour
    return _USUAL_COLOURS[name] if rng.random() < usual_share else str(rng.choice(_DRAWN_COLOURS))


def _draw_background(rng: np.random.Generator, items: tuple[Item, ...], named: bool, style: Style) -> str:
    unfit: set[str] = set()
    if not named:
        unfit.update(
            *(_FAINT_ON[item.colour] if item.colour in _FAINT_ON else PALE_ANIMALS.get(item.name, ()) for item in items)
        )
    if style.own_background > 0 and rng.random() < style.own_background:
        own = own_background(max(items, key=lambda item: item.size).name)
        if own not in unfit:
            return own
    return str(rng.choice([background for background in BACKGROUNDS if background not in unfit]))


def own_background(name: str) -> str:
    """The background that goes with a class where a style gives classes their own."""
    return BACKGROUNDS[(ANIMALS + OBJECTS).index(name) % len(BACKGROUNDS)]


def _caption(rng: np.random.Generator, items: tuple[Item, ...], background: str | None) -> str:
    said = []
    for item in items:
        usual = item.colour == _USUAL_COLOURS.get(item.name)
        is_said = item.colour is not None and (not usual or rng.random() < USUAL_SAID)
        said.append(item if is_said else replace(item, colour=None))
    return describe(rng, said, background)


def describe(rng: np.random.Generator, items: Sequence[Item], background: str | None) -> str:
    """Name items in their order, each in its colour if it has one, and the background if there is one."""
    phrases = [f"a {item.name}" if item.colour is None else f"a {item.colour} {item.name}" for item in items]
    joiner = " and "
    if len(items) == 2 and items[0].name in ANIMALS and items[1].name in ACCESSORIES and rng.random() < 0.5:
        joiner = " with "
    return joiner.join(phrases) + (f" on a {background} background" if background else "")
