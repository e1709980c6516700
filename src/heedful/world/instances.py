"""The one-image concepts: images of the world with instances that it never saw, to be taught from one image.

`instance_recipe.py` makes the files, from the designs and seeds in `instance_designs.py`.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from heedful.errors import SettingsError
from heedful.world.instance_prompts import InstancePrompt
from heedful.world.looks import Look

INSTANCES = Path(__file__).parent / "data" / "one_image_concepts"
INDEX = "instances.json"


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One taught concept: a class in a look of its own."""

    noun: str
    placeholder: str
    """The token before the noun: `<cat1>`."""
    look: Look
    box: tuple[int, int, int, int]
    """Left, top, right, bottom in the image, in pixels."""
    reference: Path
    """An image of this instance alone, where it stands, on a neutral ground."""
    mask: Path
    """An image of the pixels that it covers, 255 on 0."""


@dataclass(frozen=True, kw_only=True)
class InstanceImage:
    """An image with two or three instances, and what is taught and asked with it."""

    name: str
    """The nouns with hyphens between them: "cat-dog"."""
    file: Path
    prompt: str
    """What it is taught with: "a <cat1> cat and a <dog1> dog"."""
    instances: tuple[Instance, ...]
    prompts: tuple[InstancePrompt, ...]
    """What a taught model is asked for: 10 prompts for all concepts, and 10 for each alone."""


def one_image_concepts(folder: Path | str | None = None) -> tuple[InstanceImage, ...]:
    """Return the thirty images with two instances that come with heedful, or those in `folder`.

    Methods and their numbers were tuned on some of the first ten, on none of the last twenty. `heedful world instances`
    writes such folders. Raises `SettingsError`.
    """
    return tuple(image for image in _images(folder) if len(image.instances) == 2)


def one_image_concepts_three(folder: Path | str | None = None) -> tuple[InstanceImage, ...]:
    """Return the three images with three instances that come with heedful, or those in `folder`."""
    return tuple(image for image in _images(folder) if len(image.instances) == 3)


def _images(folder: Path | str | None) -> tuple[InstanceImage, ...]:
    return read_instances(INSTANCES if folder is None else Path(folder))


@cache
def read_instances(folder: Path) -> tuple[InstanceImage, ...]:
    """Return all images that the JSON in `folder` names; raises `SettingsError` if it is absent or wrong."""
    try:
        rows = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return tuple(_image(folder, row) for row in rows)
    except (OSError, ValueError, KeyError, TypeError) as reason:
        raise SettingsError(
            f"Expected one-image concepts in {folder}, but {INDEX} cannot be read "
            f"({type(reason).__name__}: {reason}). Write some with `heedful world instances`."
        ) from reason


def _image(folder: Path, row: dict[str, Any]) -> InstanceImage:
    return InstanceImage(
        name=str(row["name"]),
        file=_inside(folder, row["file"]),
        prompt=str(row["prompt"]),
        instances=tuple(
            Instance(
                noun=str(each["noun"]),
                placeholder=str(each["placeholder"]),
                look=Look(**each["look"]),
                box=_box(each["box"]),
                reference=_inside(folder, each["reference"]),
                mask=_inside(folder, each["mask"]),
            )
            for each in row["instances"]
        ),
        prompts=tuple(
            InstancePrompt(text=str(each["text"]), nouns=tuple(str(noun) for noun in each["nouns"]))
            for each in row["prompts"]
        ),
    )


def _inside(folder: Path, name: str) -> Path:
    """Return a file of `folder`; raises `ValueError` for a name that leads out of it."""
    if Path(name).name != name:
        raise ValueError(f"{name!r} is no name of a file next to it")
    return folder / name


def _box(sides: list[int]) -> tuple[int, int, int, int]:
    left, top, right, bottom = (int(side) for side in sides)
    return left, top, right, bottom
