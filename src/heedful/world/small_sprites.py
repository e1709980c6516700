"""The 24 sprites at two thirds of their size, in one image that comes with the package: for looking, not for drawing.

Whoever compares objects with sprites needs no emoji font. `heedful world instances` draws the image.
"""

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from heedful.world.sprites import sprite
from heedful.world.vocabulary import CLASSES

SHEET = Path(__file__).parent / "data" / "one_image_concepts" / "small_sprites.png"
SIZE = 64
"""The longer side of a small sprite, in pixels."""
_COLUMNS = 8


def draw_sheet() -> Image.Image:
    """Return all small sprites in one RGBA image, in the order of the classes; needs the emoji font."""
    sheet = Image.new("RGBA", (_COLUMNS * SIZE, SIZE * -(-len(CLASSES) // _COLUMNS)))
    for index, name in enumerate(CLASSES):
        whole = sprite(name)
        scale = SIZE / max(whole.size)
        small = whole.resize((round(whole.width * scale), round(whole.height * scale)), Image.Resampling.BOX)
        sheet.paste(small, _corner(index))
    return sheet


@cache
def small_sprite(name: str) -> Image.Image:
    """Return the RGBA sprite of a class in its own colours, its longer side 64 px."""
    left, top = _corner(CLASSES.index(name))
    cell = _sheet().crop((left, top, left + SIZE, top + SIZE))
    return cell.crop(cell.getchannel("A").getbbox())


@cache
def _sheet() -> Image.Image:
    with Image.open(SHEET) as file:
        return Image.fromarray(np.asarray(file.convert("RGBA")), "RGBA")


def _corner(index: int) -> tuple[int, int]:
    return index % _COLUMNS * SIZE, index // _COLUMNS * SIZE
