"""Prior pictures: what the model itself paints for the class, shown again while it learns, so that it forgets nothing.

Knows a folder of pictures with a caption each, in the format of `datasets`' imagefolder. The folder may be yours.
"""

import json
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from heedful.errors import SettingsError
from heedful.files import make_folder, write_atomic
from heedful.image_files import read_image
from heedful.teaching.examples import Pictures

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
METADATA = "metadata.jsonl"
CLASS_IMAGES = "class_images"
"""Where prior pictures lie in a folder of taught concepts."""


def read_pictures(folder: Path, caption: str) -> Pictures:
    """Return the pictures of a folder; captions from its metadata.jsonl (`file_name`, `text`), or all `caption`.

    Raises `SettingsError` for a folder without pictures, and for a picture that cannot be read.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if not files:
        raise SettingsError(f"Expected pictures ({', '.join(SUFFIXES)}) in the folder {folder}, found none.")
    said = captions_in(folder)
    return Pictures(tuple(read_picture(file) for file in files), tuple(said.get(file.name, caption) for file in files))


def read_picture(file: Path) -> Image.Image:
    """Return a picture in RGB, upright, on white where it is transparent; raises `SettingsError`."""
    return read_image(file)


def class_pictures(
    pipe: Any,
    prompts: Sequence[str],
    count: int,
    folder: Path,
    *,
    seed: int = 0,
    batch: int = 4,
    on_picture: Callable[[int, int], None] = lambda done, total: None,
    **arguments: Any,
) -> Pictures:
    """Return `count` pictures of the classes: those that lie in `folder`, and as many more as the model must paint.

    It paints the `prompts` in turn, each picture from a seed of its own, with `arguments` of the pipeline's call; a
    killed run goes on. Pictures that are more than `count` are left where they are, and unused.
    """
    make_folder(folder)
    there = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
    missing = [place for place in range(count) if not (folder / _name(place)).exists()][: max(0, count - len(there))]
    on_picture(count - len(missing), count)
    for start in range(0, len(missing), batch):
        places = missing[start : start + batch]
        asked = [prompts[place % len(prompts)] for place in places]
        seeds = [torch.Generator("cpu").manual_seed(seed + place) for place in places]
        with torch.no_grad():
            images = pipe(asked, generator=seeds, **arguments).images
        captions = captions_in(folder) | {_name(place): text for place, text in zip(places, asked, strict=True)}
        # captions before pictures: a picture without one would be taken for something else
        lines = (json.dumps({"file_name": name, "text": text}) for name, text in sorted(captions.items()))
        write_atomic(folder / METADATA, "".join(f"{line}\n" for line in lines))
        for place, image in zip(places, images, strict=True):
            buffer = BytesIO()
            image.save(buffer, format="PNG")
            write_atomic(folder / _name(place), buffer.getvalue())
        on_picture(count - len(missing) + start + len(places), count)
    found = read_pictures(folder, prompts[0])
    return Pictures(found.images[:count], found.captions[:count])


def _name(place: int) -> str:
    return f"{place:05}.png"


def captions_in(folder: Path) -> dict[str, str]:
    """Return what a folder's metadata says of its files; raises `SettingsError` if it is broken."""
    file = folder / METADATA
    if not file.is_file():
        return {}
    try:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        return {str(line["file_name"]): str(line["text"]) for line in lines}
    except (ValueError, KeyError, TypeError) as reason:
        raise SettingsError(
            f"Expected lines such as {{'file_name': '00000.png', 'text': 'a cat'}} in {file}, got something else "
            f"({reason}). Mend it, or take it away."
        ) from reason
