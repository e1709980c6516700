"""How the one-image concepts are made: designs and seeds as data, and the files that follow from them.

They are thirteen images of the world with two or three instances that it never saw, after DisenDiff (Zhang et al., CVPR
2024, arXiv 2403.18551), which learns several concepts from one image. Making them needs the emoji font. `instances.py`
reads the files.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from heedful.files import write_atomic
from heedful.world.instance_prompts import instance_prompts
from heedful.world.instances import INDEX
from heedful.world.looks import Look
from heedful.world.render import box, layer, masks, render
from heedful.world.scene import CANVAS, PASTELS, Item, Scene
from heedful.world.small_sprites import SHEET, draw_sheet

NEUTRAL = (206, 206, 208)
"""The ground of an image that shows one instance alone."""
_SIZES = {2: (27, 32), 3: (23, 26)}  # of instances in pixels, by how many there are


@dataclass(frozen=True, kw_only=True)
class Design:
    """What one image shows: classes with their looks, the ground, and the seed of positions and prompts."""

    looks: dict[str, Look]
    background: str
    seed: int

    @property
    def name(self) -> str:
        """The classes with hyphens between them: "cat-dog"."""
        return "-".join(self.looks)

    @property
    def number(self) -> int:
        """The number in the placeholders: `<cat1>` is an instance of an image with two, `<cat2>` of one with three."""
        return len(self.looks) - 1


def _look(kind: str, first: str, second: str) -> Look:
    return Look(kind=kind, first=first, second=second)  # pyright: ignore[reportArgumentType]


DESIGNS = (
    Design(
        looks={"cat": _look("hat", "natural", "black"), "dog": _look("halves", "natural", "pink")},
        background="gray",
        seed=423,
    ),
    Design(
        looks={"bear": _look("sides", "natural", "green"), "rabbit": _look("dots", "natural", "red")},
        background="blue",
        seed=2,
    ),
    Design(
        looks={"lion": _look("stripes", "natural", "blue"), "elephant": _look("halves", "natural", "purple")},
        background="green",
        seed=615,
    ),
    Design(
        looks={"frog": _look("checks", "natural", "blue"), "monkey": _look("scarf", "natural", "red")},
        background="white",
        seed=52,
    ),
    Design(
        looks={"bird": _look("halves", "natural", "red"), "chair": _look("sides", "green", "pink")},
        background="purple",
        seed=5,
    ),
    Design(
        looks={"mouse": _look("dots", "natural", "orange"), "suitcase": _look("checks", "blue", "red")},
        background="yellow",
        seed=299,
    ),
    Design(
        looks={"horse": _look("halves", "natural", "green"), "balloon": _look("checks", "red", "yellow")},
        background="blue",
        seed=7,
    ),
    Design(
        looks={"turtle": _look("dots", "natural", "yellow"), "backpack": _look("sides", "orange", "pink")},
        background="blue",
        seed=500,
    ),
    Design(
        looks={"car": _look("halves", "orange", "black"), "clock": _look("sides", "red", "purple")},
        background="blue",
        seed=460,
    ),
    Design(
        looks={"bowl": _look("checks", "orange", "yellow"), "apple": _look("stripes", "red", "pink")},
        background="gray",
        seed=822,
    ),
    Design(
        looks={
            "cat": _look("sides", "natural", "purple"),
            "bird": _look("halves", "natural", "red"),
            "car": _look("halves", "black", "pink"),
        },
        background="blue",
        seed=11,
    ),
    Design(
        looks={
            "dog": _look("checks", "natural", "purple"),
            "elephant": _look("hat", "natural", "green"),
            "balloon": _look("sides", "yellow", "orange"),
        },
        background="blue",
        seed=668,
    ),
    Design(
        looks={
            "rabbit": _look("checks", "natural", "blue"),
            "apple": _look("checks", "orange", "yellow"),
            "clock": _look("stripes", "black", "green"),
        },
        background="purple",
        seed=211,
    ),
)
"""Looks, grounds and seeds were drawn until the untaught model sees each class where it is: its region by
`heedful.teaching.regions.find_regions` and the instance's mask have an intersection over union of 0.65 or more.
Animals keep their own colours in part for the same reason. Photographs of cats are recognised as cats, too; without
this, a method that learns from the maps of a class would learn from a mistake.
"""


def design_scene(design: Design) -> Scene:
    """Return the scene of a design: instances upright and apart, at sizes and positions drawn from its seed."""
    rng = np.random.default_rng(design.seed)
    low, high = _SIZES[len(design.looks)]
    while True:
        items: list[Item] = []
        for name, look in design.looks.items():
            size = int(rng.integers(low, high + 1))
            half = size // 2 + 1
            x, y = (int(value) for value in rng.integers(half, CANVAS - half + 1, 2))
            items.append(Item(name, None, x, y, size, look=look))
        if _are_apart(items):
            return Scene(tuple(items), design.background, PASTELS[design.background], teaching_prompt(design))


def teaching_prompt(design: Design) -> str:
    """Return what the image is taught with: "a <cat1> cat and a <dog1> dog"."""
    return " and ".join(f"a <{noun}{design.number}> {noun}" for noun in design.looks)


def write_instances(out: Path, designs: Sequence[Design] = DESIGNS) -> Path:
    """Write images, references, masks and the JSON that says everything of them to `out`, and return the JSON's path.

    The small sprites that looks are recognised by come along.

    Raises `ModelNotFound` without the emoji font, and `OutputError`.
    """
    write_atomic(out / SHEET.name, _png(np.asarray(draw_sheet())))
    rows = []
    for design in designs:
        scene = design_scene(design)
        write_atomic(out / f"{design.name}.png", _png(render(scene)))
        instances = []
        for noun, item, mask in zip(design.looks, scene.items, masks(scene), strict=True):
            stem = f"{design.name}-{noun}"
            write_atomic(out / f"{stem}.png", _png(_alone(item)))
            write_atomic(out / f"{stem}-mask.png", _png(mask.astype(np.uint8) * 255))
            instances.append(
                {
                    "noun": noun,
                    "placeholder": f"<{noun}{design.number}>",
                    "look": asdict(design.looks[noun]),
                    "box": box(item, scene.canvas),
                    "reference": f"{stem}.png",
                    "mask": f"{stem}-mask.png",
                }
            )
        rows.append(
            {
                "name": design.name,
                "file": f"{design.name}.png",
                "prompt": scene.caption,
                "seed": design.seed,
                "background": design.background,
                "instances": instances,
                "prompts": [
                    asdict(prompt)
                    for prompt in instance_prompts(design.looks, design.number, np.random.default_rng(design.seed))
                ],
            }
        )
    return write_atomic(out / INDEX, json.dumps(rows, indent=1) + "\n")


def _alone(item: Item) -> np.ndarray:
    """Return an instance without the others, on the neutral ground."""
    alpha, colours = layer(item, CANVAS)
    return (alpha * colours + (1 - alpha) * np.array(NEUTRAL, np.float32)).round().astype(np.uint8)


def _are_apart(items: Sequence[Item]) -> bool:
    return all(
        max(abs(one.x - other.x), abs(one.y - other.y)) > (one.size + other.size) / 2
        for index, one in enumerate(items)
        for other in items[:index]
    )


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
