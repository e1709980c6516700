"""How far a generated object is from the nearest clean one: renders of its class and colour, by location, size, angle.

This is a second measure of quality next to the detector's confidence, and compares pixels. It needs the emoji font.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from heedful.world import Box, Item, layer

_MARGIN = 2  # pixels around the detector's box that also must be as in the render
_SHIFT = 2  # pixels by which a shape is moved and grown, each way
_ANGLES = (-4, -2, 0, 2, 4)
_ROUNDS = 4
_SMALLEST, _LARGEST = 12, 60
_SHAPES = 2048  # drawn shapes that are kept, about 30 kB each


@dataclass(frozen=True)
class Nearest:
    """The render that was found, and its distance: root mean square difference of the pixels, in [0, 1]."""

    item: Item
    distance: float


class RenderSearch:
    """Finds nearest renders, and keeps the shapes that it has drawn.

    It tries all locations and sizes within 2 px of the detector's box, both ways round, at angles of -4 to 4 degrees;
    then the same around the best, if it lies on the border of what was tried. Every one is tried, because small sprites
    change by jumps: downhill steps alone end next to the render that an image was made of.
    """

    def __init__(self) -> None:
        self._shape = lru_cache(maxsize=_SHAPES)(_shape)

    def __call__(
        self, image: np.ndarray, name: str, colour: str | None, box: Box, others: tuple[Box, ...] = ()
    ) -> Nearest | None:
        """Return the nearest render of a class in a colour (None: its own) to what `box` of `image` holds.

        `image` is (height, width, 3) uint8; its background is the median of its border. The pixels of the box and 2 px
        around it that lie in no box of the `others` are compared. None if there are none.
        """
        window = _Window(image, box, others)
        if not window.is_compared.any():
            return None
        x, y = round((box[0] + box[2]) / 2), round((box[1] + box[3]) / 2)
        best = Nearest(Item(name, colour, x, y, round(max(box[2] - box[0], box[3] - box[1]))), np.inf)
        for _ in range(_ROUNDS):
            centre, best = best.item, self._around(window, best.item)
            away = (best.item.x - centre.x, best.item.y - centre.y, best.item.size - centre.size)
            if max(map(abs, away)) < _SHIFT:
                break
        return best

    def _around(self, window: "_Window", centre: Item) -> Nearest:
        sizes = dict.fromkeys(
            min(max(centre.size + growth, _SMALLEST), _LARGEST) for growth in range(-_SHIFT, _SHIFT + 1)
        )
        best = Nearest(centre, np.inf)
        for size, mirrored, angle in product(sizes, (False, True), _ANGLES):
            shape = self._shape(centre.name, centre.colour, size, mirrored, angle)
            down, right, distance = window.nearest_location(*shape, centre.x, centre.y)
            if distance < best.distance:
                item = Item(centre.name, centre.colour, centre.x + right, centre.y + down, size, mirrored, angle)
                best = Nearest(item, distance)
        return best


def _shape(name: str, colour: str | None, size: int, mirrored: bool, angle: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an object in the middle of its own small canvas: alpha and colours, as `layer` gives them."""
    half = size // 2 + 4  # turned by a few degrees, a shape is a little larger
    return layer(Item(name, colour, half, half, size, mirrored, angle), 2 * half)


class _Window:
    """The part of an image that is compared, as differences from the background."""

    def __init__(self, image: np.ndarray, box: Box, others: tuple[Box, ...]) -> None:
        border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        self._ground = np.median(border, axis=0).astype(np.float32)
        height, width = image.shape[:2]
        self._top, bottom = (int(np.clip(side, 0, height)) for side in (box[1] - _MARGIN, np.ceil(box[3] + _MARGIN)))
        self._left, right = (int(np.clip(side, 0, width)) for side in (box[0] - _MARGIN, np.ceil(box[2] + _MARGIN)))
        rows, columns = np.ogrid[self._top : bottom, self._left : right]
        self.is_compared = np.ones((bottom - self._top, right - self._left), dtype=bool)
        for other in others:
            is_row = (rows + 0.5 >= other[1]) & (rows + 0.5 < other[3])
            self.is_compared &= ~(is_row & (columns + 0.5 >= other[0]) & (columns + 0.5 < other[2]))
        differs = image[self._top : bottom, self._left : right] - self._ground
        self._differs = (differs * self.is_compared[..., None]).transpose(2, 0, 1)  # -> (colour, height, width)

    def nearest_location(self, alpha: np.ndarray, colours: np.ndarray, x: int, y: int) -> tuple[int, int, float]:
        """Return by how many pixels down and right of (x, y) a shape fits best, and its distance there."""
        height, width = self.is_compared.shape
        drawn = np.zeros((3, height + 2 * _SHIFT, width + 2 * _SHIFT), np.float32)
        half = alpha.shape[0] // 2
        top, left = y - half - self._top + _SHIFT, x - half - self._left + _SHIFT
        cut = np.s_[max(0, -top) : drawn.shape[1] - top, max(0, -left) : drawn.shape[2] - left]
        part = (alpha[cut] * (colours[cut] - self._ground)).transpose(2, 0, 1)
        top, left = max(0, top), max(0, left)
        drawn[:, top : top + part.shape[1], left : left + part.shape[2]] = part
        # |differs - drawn|^2 at every shift: only the mixed and the last term depend on it
        shifted = sliding_window_view(drawn, (height, width), (1, 2))  # -> (colour, row, column, height, width)
        powers = sliding_window_view(np.square(drawn).sum(0), (height, width))
        errors = (
            np.square(self._differs).sum()
            - 2 * np.einsum("crshw,chw->rs", shifted, self._differs)
            + np.einsum("rshw,hw->rs", powers, self.is_compared.astype(np.float32))
        )
        row, column = divmod(int(errors.argmin()), errors.shape[1])
        mean = max(float(errors.min()), 0.0) / (3 * self.is_compared.sum())
        return _SHIFT - row, _SHIFT - column, float(np.sqrt(mean)) / 255
