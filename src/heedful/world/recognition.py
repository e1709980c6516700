"""Which object of the world a piece of an image shows, and which look it has: the nearest of many small sprites.

The detector, which never saw a look, only says where objects are; it names the classes of looks wrongly too often. No
emoji font is needed: small sprites come with the package.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from heedful.world.detector import Detection
from heedful.world.looks import ACCESSORY_KINDS, NATURAL, Look, dressed
from heedful.world.scene import PASTELS
from heedful.world.small_sprites import small_sprite
from heedful.world.sprites import painted
from heedful.world.vocabulary import CLASSES, COLOURS

SIDE = 24
"""The side of a template, in pixels."""
REACH = 1.15
"""The side of what is compared over the longer side of the object in it: some ground belongs to a shape."""
_DOUBT = 1.4  # how much nearer an unexpected class must be
_FADING = 0.6  # share of a pattern's contrast
_FINE = 2  # how much finer an image is read before it is averaged to a template's pixels
_NOT_TURNED = (*ACCESSORY_KINDS, "sides")  # what is mirrored has its left and right exchanged, and is still the same
_SHIFTS, _SCALES = (-0.04, 0.0, 0.04), (0.93, 1.0, 1.07)


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What one object looks most like: its class, and its `Look`, one of the 11 colours, or `natural`."""

    noun: str
    look: Look | str
    unlike: float
    """Squared distance to the nearest template over that to the bare ground: 0 the same; 1 as good as nothing."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels."""


@dataclass(frozen=True, eq=False)
class Templates:
    """Sprites that objects are compared with: RGB values times alpha in [0, 1], and alpha, both 3 x 24 x 24 long."""

    labels: tuple[tuple[str, Look | str], ...]
    colours: Float[Tensor, "template colour_pixel"]
    alpha: Float[Tensor, "template colour_pixel"]


@cache
def make_templates(looks: tuple[Look, ...]) -> Templates:
    """Return every class plain, in each of 11 colours, and in each of `looks`, also turned over; each also mirrored,
    and patterns also pale.

    A look with its upper and lower colours exchanged is another look.
    """
    turned = tuple(
        Look(kind=look.kind, first=look.second, second=look.first) for look in looks if look.kind not in _NOT_TURNED
    )
    dresses: tuple[Look | str, ...] = tuple(dict.fromkeys((NATURAL, *COLOURS, *looks, *turned)))
    labels, images = [], []
    for noun, dress in product(CLASSES, dresses):
        image = _canvas(_in(small_sprite(noun), dress))
        shown = [image]
        if isinstance(dress, Look) and dress.kind not in ACCESSORY_KINDS:
            shown.append(_faded(image))
        for each in shown:
            labels += [(noun, dress)] * 2
            images += [each, each[:, ::-1]]
    rgba = torch.from_numpy(np.stack(images).astype(np.float32)).permute(0, 3, 1, 2)
    alpha = rgba[:, 3:].expand(-1, 3, -1, -1) / 255
    return Templates(tuple(labels), (rgba[:, :3] * alpha).flatten(1), alpha.flatten(1))


def _in(natural: Image.Image, dress: Look | str) -> Image.Image:
    if isinstance(dress, Look):
        return dressed(natural, dress)
    return natural if dress == NATURAL else painted(natural, dress)


def _canvas(sprite: Image.Image) -> UInt8[np.ndarray, "side side 4"]:
    """Return a sprite in the middle of a template."""
    scale = SIDE / REACH / max(sprite.size)
    size = (max(1, round(sprite.width * scale)), max(1, round(sprite.height * scale)))
    canvas = Image.new("RGBA", (SIDE, SIDE))
    canvas.paste(sprite.resize(size, Image.Resampling.BOX), ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    return np.asarray(canvas)


def _faded(image: UInt8[np.ndarray, "side side 4"]) -> UInt8[np.ndarray, "side side 4"]:
    """Return a template whose colours lie nearer to their mean: a pale look is more like one gray than like itself."""
    rgba = image.astype(np.float32)
    mean = np.average(rgba[..., :3], axis=(0, 1), weights=rgba[..., 3])
    colours = mean + _FADING * (rgba[..., :3] - mean)
    return np.dstack([colours, rgba[..., 3]]).round().astype(np.uint8)


def recognise(
    image: UInt8[np.ndarray, "height width 3"],
    found: Sequence[Detection],
    templates: Templates,
    expected: Collection[str] = (),
) -> list[Sighting]:
    """Return what each object that the detector `found` in an image looks most like.

    What is compared is the object on its ground, the median of the image's border; ground is laid over other objects.
    Small shifts and changes of size are tried, and the nearest counts. With classes that are `expected`, one of the
    others must be nearer by a third.
    """
    if not found:
        return []
    ground = _ground(image).astype(np.float32)
    pieces = torch.stack([_pieces(image - ground, found, item) for item in range(len(found))])
    # a template on the ground, less the ground
    drawn = templates.colours - templates.alpha * torch.from_numpy(ground).repeat_interleave(SIDE * SIDE)
    energy = pieces.square().sum(-1)  # -> (object, try)
    distances = energy[..., None] + drawn.square().sum(-1) - 2 * pieces @ drawn.T
    unlike = (distances / energy[..., None].clamp_min(1.0)).amin(dim=1)  # -> (object, template)
    doubt = torch.tensor([_DOUBT if expected and noun not in expected else 1.0 for noun, _ in templates.labels])
    sightings = []
    for detection, values in zip(found, unlike, strict=True):
        index = int((values * doubt).argmin())
        noun, look = templates.labels[index]
        sightings.append(Sighting(noun=noun, look=look, unlike=max(0.0, float(values[index])), box=detection.box))
    return sightings


def ground_of(image: UInt8[np.ndarray, "height width 3"]) -> str:
    """Return the background whose tint is nearest to the median of an image's border."""
    tint = _ground(image)
    return min(PASTELS, key=lambda name: float(np.square(tint - np.array(PASTELS[name])).sum()))


def _ground(image: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "3"]:
    """Return the median colour of an image's border."""
    return np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]), axis=0)


def _pieces(
    lifted: Float[np.ndarray, "height width 3"], found: Sequence[Detection], item: int
) -> Float[Tensor, "try colour_pixel"]:
    """Return the square around one object, at some shifts and sizes, at the size of templates."""
    height, width = lifted.shape[:2]
    seen = torch.from_numpy(lifted).permute(2, 0, 1)[None].clone()
    rows, columns = np.ogrid[:height, :width]
    left, top, right, bottom = found[item].box
    mine = (rows + 1 > top) & (rows < bottom) & (columns + 1 > left) & (columns < right)
    for other in (each for index, each in enumerate(found) if index != item):
        x0, y0, x1, y1 = other.box
        theirs = (rows + 1 > y0) & (rows < y1) & (columns + 1 > x0) & (columns < x1)
        seen[:, :, torch.from_numpy(theirs & ~mine)] = 0.0
    side = max(right - left, bottom - top, 4.0) * REACH
    tries = torch.tensor([(x, y, scale) for scale in _SCALES for y in _SHIFTS for x in _SHIFTS])
    middle = torch.tensor([(left + right) / 2, (top + bottom) / 2]) + tries[:, :2] * side
    steps = (torch.arange(SIDE * _FINE) + 0.5) / (SIDE * _FINE) - 0.5
    across = steps * side * tries[:, 2:]  # -> (try, pixel)
    x = 2 * (middle[:, :1] + across) / width - 1
    y = 2 * (middle[:, 1:] + across) / height - 1
    grid = torch.stack([x[:, None, :].expand(-1, len(steps), -1), y[:, :, None].expand(-1, -1, len(steps))], dim=-1)
    fine = torch.nn.functional.grid_sample(seen.expand(len(tries), -1, -1, -1), grid, align_corners=False)
    return torch.nn.functional.avg_pool2d(fine, _FINE).flatten(1)
