"""A look: what makes one cat unlike all others, as data, and how a sprite is dressed in it.

All features are at least a quarter of the sprite, because the autoencoder of the world keeps one cell for 4x4 pixels.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool
from PIL import Image, ImageDraw

from heedful.errors import SettingsError
from heedful.world.sprites import OUTLINE, fitted, outline, shading, tone
from heedful.world.vocabulary import COLOURS

Kind = Literal["halves", "sides", "stripes", "dots", "checks", "hat", "scarf"]
ACCESSORY_KINDS = ("hat", "scarf")
NATURAL = "natural"


@dataclass(frozen=True, kw_only=True)
class Look:
    """Two colours on one sprite.

    `halves`: upper and lower; `sides`: left and right; `stripes`: four bands from the top; `checks`: three by three;
    `dots`: the second colour on the first; `hat` and `scarf`: in the second colour, worn by a sprite of the first.
    Each is one of the world's 11, or `natural`: the sprite's own, by which an animal is known. A hat has none.
    """

    kind: Kind
    first: str
    second: str

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise SettingsError(f"Expected a kind of look among {', '.join(get_args(Kind))}, got {self.kind!r}.")
        worn = COLOURS if self.kind in ACCESSORY_KINDS else (*COLOURS, NATURAL)
        for colour, allowed in ((self.first, (*COLOURS, NATURAL)), (self.second, worn)):
            if colour not in allowed:
                raise SettingsError(f"Expected a colour among {', '.join(allowed)}, got {colour!r}.")
        if self.first == self.second:
            raise SettingsError(f"Expected two different colours, got {self.first!r} twice.")

    def __str__(self) -> str:
        if self.kind in ACCESSORY_KINDS:
            return f"{self.first} with a {self.second} {self.kind}"
        return f"{self.first} and {self.second} {self.kind}"


def dressed(natural: Image.Image, look: Look) -> Image.Image:
    """Return the RGBA sprite `natural` in a look: its shading is kept, its longer side is 96 px."""
    is_plain = look.kind in ACCESSORY_KINDS and look.first == NATURAL
    body = natural if is_plain else _patterned(natural, look)
    return _worn(body, look) if look.kind in ACCESSORY_KINDS else body


def _patterned(natural: Image.Image, look: Look) -> Image.Image:
    own = np.asarray(natural, dtype=np.float32)
    alpha, position = own[..., 3], shading(natural)
    is_second = _second_pixels(look.kind, alpha.shape)[..., None]
    first, second = (
        own[..., :3] if colour == NATURAL else tone(colour, position) for colour in (look.first, look.second)
    )
    colours = np.where(is_second, second, first)
    if "white" in (look.first, look.second):
        rim = outline(alpha)[..., None] * (is_second if look.second == "white" else ~is_second)
        colours += rim * (OUTLINE - colours)
    return Image.fromarray(np.dstack([colours, alpha]).round().clip(0, 255).astype(np.uint8), "RGBA")


def _second_pixels(kind: Kind, size: tuple[int, ...]) -> Bool[np.ndarray, "height width"]:
    """Return which pixels of a sprite have the second colour."""
    height, width = size
    rows, columns = (np.mgrid[:height, :width] + 0.5) / np.array([height, width])[:, None, None]
    if kind == "halves":
        return rows > 0.5
    if kind == "sides":
        return columns > 0.5
    if kind == "stripes":
        return (rows * 4).astype(int) % 2 == 1
    if kind == "checks":
        return ((rows * 3).astype(int) + (columns * 3).astype(int)) % 2 == 1
    if kind == "dots":
        radius, side = 0.145, max(size)
        middles = ((0.5, 0.5), (0.22, 0.24), (0.22, 0.76), (0.78, 0.24), (0.78, 0.76))
        return np.any(
            [np.hypot((rows - y) * height, (columns - x) * width) < radius * side for y, x in middles],
            axis=0,
        )
    return np.zeros((height, width), dtype=bool)


def _worn(body: Image.Image, look: Look) -> Image.Image:
    """Return the sprite with its hat or scarf, which stands out over its border."""
    width, height = body.size
    room = height // 3
    canvas = Image.new("RGBA", (width + 2 * room, height + 2 * room))
    canvas.alpha_composite(body, (room, room))
    dark, middle, light = (
        tuple(int(value) for value in tone(look.second, np.array(position)).round()) for position in (0.3, 1.0, 1.35)
    )
    draw = ImageDraw.Draw(canvas)
    across = room + width // 2

    def band(left: float, top: float, right: float, bottom: float, fill: tuple[int, ...]) -> None:
        box = (across + left * width, room + top * height, across + right * width, room + bottom * height)
        draw.rounded_rectangle(box, 0.04 * height, fill=fill)

    if look.kind == "hat":
        band(-0.27, -0.30, 0.27, 0.10, middle)
        band(-0.27, -0.30, -0.13, 0.04, light)
        band(-0.44, 0.03, 0.44, 0.17, dark)
    else:
        band(0.12, 0.78, 0.36, 1.22, dark)
        band(-0.46, 0.74, 0.46, 0.98, middle)
        band(-0.46, 0.74, 0.46, 0.81, light)
    return fitted(canvas)
