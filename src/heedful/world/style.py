"""How scenes are composed, as data: sizes, overlap, how skewed classes, pairs and colours are, backgrounds of classes.

Each field is one cause of failure that can be switched off alone.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Style:
    """How `random_scene` composes; the defaults are small objects apart, evenly drawn, on any background.

    - `sizes`: least and greatest longer side in pixels, for 1, 2 and 3 objects.
    - `spacing`: least distance of two objects' middles, in half the sum of their sides; below 1 they may overlap.
    - `visible`: least share of an object's square that no later object's square covers.
    - `class_skew`: the exponent of Zipf's law over the animals and over the objects; 0 draws evenly.
    - `rare_pairs`: the share of class pairs that come a tenth as often as the others.
    - `usual_colour`: how often an object has its usual colour; None: 0.2 to 0.4, by the number of objects.
    - `painted_animals`: how often an animal is painted in a colour that is not its own.
    - `grid`: the objects' middles lie on multiples of so many pixels.
    - `tilt`: the greatest angle in degrees by which an object is turned.
    - `own_background`: how often the largest object's class decides the background.
    """

    sizes: tuple[tuple[int, int], tuple[int, int], tuple[int, int]] = ((28, 44), (24, 32), (20, 25))
    spacing: float = 0.9
    visible: float = 0.0
    class_skew: float = 0.0
    rare_pairs: float = 0.0
    usual_colour: float | None = None
    painted_animals: float = 0.0
    own_background: float = 0.0
    grid: int = 1
    tilt: int = 5


APART = Style()
CROWDED = Style(
    sizes=((32, 54), (28, 46), (24, 34)),
    spacing=0.55,
    visible=0.5,
    class_skew=0.5,
    rare_pairs=0.5,
    usual_colour=0.45,
    painted_animals=0.25,
    own_background=0.6,
)
"""Objects compete for room: half to four fifths of the side, one in front of the other."""

ON_A_GRID = Style(sizes=((24, 24), (24, 24), (24, 24)), grid=8, tilt=0)
"""Upright objects of one size where the 8x8-pixel tokens of a transformer lie: it learns them in an hour."""
