"""How the one-image concepts are made: the files that follow from their designs.

They are 33 images of the world with two or three instances that it never saw, after DisenDiff (Zhang et al., CVPR 2024,
arXiv 2403.18551), which learns several concepts from one image. Making them needs the emoji font. `instance_designs.py`
says what they show; `instances.py` reads the files.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from heedful.files import write_atomic
from heedful.world.instance_designs import DESIGNS, Design
from heedful.world.instance_prompts import instance_prompts
from heedful.world.instances import INDEX
from heedful.world.render import box, layer, masks, render
from heedful.world.scene import CANVAS, PASTELS, Item, Scene
from heedful.world.small_sprites import SHEET, draw_sheet

NEUTRAL = (206, 206, 208)
"""The ground of an image that shows one instance alone."""
_SIZES = {2: (27, 32), 3: (23, 26)}  # of instances in pixels, by how many there are


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
