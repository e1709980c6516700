"""Which of the world's colours a piece of an image holds, read from its pixels.

This says which colours an object has that the detector calls `mixed`.
"""

from collections.abc import Sequence

import numpy as np

from heedful.world.sprites import TONE_RANGE, tone
from heedful.world.vocabulary import COLOURS

Box = tuple[float, float, float, float] | tuple[int, int, int, int]

HELD = 0.15
"""The least share of its pixels that an object has in a colour that it holds; 95 % of one-coloured renders have less in
any other colour.
"""
NATURAL_COLOURS = {
    "bear": ("brown",), "bird": ("blue",), "cat": ("yellow", "orange"), "dog": ("brown", "white"),
    "elephant": ("gray", "white"), "frog": ("yellow", "green"), "horse": ("orange", "brown"),
    "lion": ("brown", "yellow", "orange"), "monkey": ("brown", "orange", "yellow"), "mouse": ("gray", "white", "pink"),
    "rabbit": ("white", "gray", "pink"), "turtle": ("brown", "green"),
}  # fmt: skip
"""The colours that an animal holds in its own sprite, and those it can be taken for."""
_GROUND, _FAR = 40.0, 60.0  # distances in RGB values: what still is background, what is no tone of any colour
_CURVES = np.stack([tone(colour, np.linspace(*TONE_RANGE, 9)) for colour in COLOURS])  # -> (colour, tone, rgb)


def colours_in(image: np.ndarray, box: Box, others: Sequence[Box] = ()) -> tuple[str, ...]:
    """The colours that the object in `box` holds, largest share first; see `tone_shares`."""
    shares = tone_shares(image, box, others)
    return tuple(sorted((colour for colour in shares if shares[colour] >= HELD), key=lambda colour: -shares[colour]))


def tone_shares(image: np.ndarray, box: Box, others: Sequence[Box] = ()) -> dict[str, float]:
    """The share in [0, 1] of an object's pixels whose nearest tone is of a colour, for each colour that has any.

    `image` is (height, width, 3) uint8, boxes are (left, top, right, bottom) in pixels. The object is what lies in
    `box`, outside the boxes of the `others`, and differs from the background, the median of the image's border. So
    white on a pale background is hardly seen.
    """
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    differs = np.abs(image - np.median(border, axis=0)).max(axis=-1) > _GROUND
    inside = _window(image, box) & ~np.any([_window(image, other) for other in others], axis=0)
    pixels = image[differs & inside].astype(np.float32)
    if len(pixels) == 0:
        return {}
    distances = np.linalg.norm(pixels[:, None, None] - _CURVES, axis=-1).min(axis=2)  # -> (pixel, colour)
    nearest = np.where(distances.min(axis=1) < _FAR, distances.argmin(axis=1), -1)
    shares = {
        colour: float((nearest == index).mean()) for index, colour in enumerate(COLOURS) if (nearest == index).any()
    }
    # the outline of white sprites is gray
    if "white" in shares and shares["white"] >= shares.get("gray", 0) / 2:
        shares["white"] += shares.pop("gray", 0)
    return shares


def _window(image: np.ndarray, box: Box) -> np.ndarray:
    """Whether a pixel's centre lies in `box`: (height, width) bool."""
    left, top, right, bottom = box
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    return (rows + 0.5 >= top) & (rows + 0.5 < bottom) & (columns + 0.5 >= left) & (columns + 0.5 < right)
