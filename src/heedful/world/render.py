"""Draw a scene: an RGB image and, for each object, the mask of the pixels it covers."""

from functools import lru_cache

import numpy as np
from PIL import Image

from heedful.world.looks import dressed
from heedful.world.scene import Item, Scene
from heedful.world.sprites import sprite


def render(scene: Scene) -> np.ndarray:
    """The image of a scene: (height, width, 3) uint8."""
    canvas = np.empty((scene.canvas, scene.canvas, 3), dtype=np.float32)
    canvas[:] = scene.tint
    for item in scene.items:
        _paste(canvas, item)
    return canvas.round().astype(np.uint8)


def masks(scene: Scene) -> np.ndarray:
    """Which pixels each item covers, whatever was pasted over it: (item, height, width) bool."""
    covered = np.zeros((len(scene.items), scene.canvas, scene.canvas), dtype=bool)
    for mask, item in zip(covered, scene.items, strict=True):
        (top, left), alpha = _placed(item, scene.canvas)[:2]
        mask[top : top + alpha.shape[0], left : left + alpha.shape[1]] = alpha[..., 0] > 0.5
    return covered


def box(item: Item, canvas: int) -> tuple[int, int, int, int]:
    """The pixel box (left, top, right, bottom) that an item covers."""
    (top, left), alpha, _ = _placed(item, canvas)
    rows, columns = np.nonzero(alpha[..., 0] > 0.3)
    return left + int(columns.min()), top + int(rows.min()), left + int(columns.max()) + 1, top + int(rows.max()) + 1


def layer(item: Item, canvas: int) -> tuple[np.ndarray, np.ndarray]:
    """An item alone on a whole canvas: alpha in [0, 1] (canvas, canvas, 1) and colours (canvas, canvas, 3)."""
    alpha, colours = np.zeros((canvas, canvas, 1), np.float32), np.zeros((canvas, canvas, 3), np.float32)
    (top, left), small_alpha, small_colours = _placed(item, canvas)
    window = np.s_[top : top + small_alpha.shape[0], left : left + small_alpha.shape[1]]
    alpha[window], colours[window] = small_alpha, small_colours
    return alpha, colours


def _paste(canvas: np.ndarray, item: Item) -> None:
    (top, left), alpha, colours = _placed(item, canvas.shape[0])
    window = canvas[top : top + alpha.shape[0], left : left + alpha.shape[1]]
    window += alpha * (colours - window)


@lru_cache(maxsize=256)
def _placed(item: Item, canvas: int) -> tuple[tuple[int, int], np.ndarray, np.ndarray]:
    """Top-left corner on the canvas, alpha in [0, 1] (h, w, 1) and colours (h, w, 3) of an item, cut at the border."""
    image = sprite(item.name, item.colour) if item.look is None else dressed(sprite(item.name), item.look)
    scale = item.size / max(image.size)
    image = image.resize(
        (max(2, round(image.width * scale)), max(2, round(image.height * scale))), Image.Resampling.BOX
    )
    if item.mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if item.angle:
        image = image.rotate(item.angle, Image.Resampling.BILINEAR, expand=True)
    rgba = np.asarray(image, dtype=np.float32)
    left, top = item.x - image.width // 2, item.y - image.height // 2
    cut = rgba[max(0, -top) : canvas - top, max(0, -left) : canvas - left]
    return (max(0, top), max(0, left)), cut[..., 3:] / 255, cut[..., :3]
