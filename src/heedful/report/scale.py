"""What the colours of a map stand for, and images large enough to see them."""

import torch
from PIL import Image, ImageDraw, ImageFont

from heedful.attention import heat_map

LARGE = 512
"""Pixels of the longer side of an image that is shown by itself."""
_INK, _GROUND = (32, 32, 32), (255, 255, 255)


def enlarged(image: Image.Image, side: int = LARGE) -> Image.Image:
    """Return `image` with its pixels enlarged by a whole factor until its longer side is at least `side` pixels."""
    factor = max(1, -(-side // max(image.size)))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def scale_tile(top: float, size: tuple[int, int]) -> Image.Image:
    """Return the colours of a map from 0, below, to `top` as an image of `size` (width, height) pixels."""
    tile = Image.new("RGB", size, _GROUND)
    text = max(10, round(size[1] / 20))
    font = ImageFont.load_default(size=text)
    width, height = max(8, size[1] // 16), max(8, size[1] - 3 * text)
    upper, left = (size[1] - height) // 2, max(1, (size[0] - 4 * text - width) // 2)
    tile.paste(heat_map(torch.linspace(1, 0, 64)[:, None], (width, height), top=1.0), (left, upper))
    pen = ImageDraw.Draw(tile)
    for share in (1.0, 0.5, 0.0):
        y = upper + round((1 - share) * (height - 1))
        pen.line((left + width, y, left + width + 4, y), _INK)
        pen.text((left + width + 8, y), f"{share * top:.2g}", _INK, font, anchor="lm")
    return tile


def with_scale(image: Image.Image, top: float) -> Image.Image:
    """Return `image` with the scale of its colours, from 0 to `top`, on its right."""
    tile = scale_tile(top, (max(80, image.height * 7 // 24), image.height))
    both = Image.new("RGB", (image.width + tile.width, image.height), _GROUND)
    both.paste(image, (0, 0))
    both.paste(tile, (image.width, 0))
    return both
