"""Class images: what the model itself generates for the classes, shown while it learns so that it forgets nothing.

They lie in a folder with a caption each, in the format of `datasets`' imagefolder. The folder may be yours.
"""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel

from heedful.attention import ImagePipeline, find_denoiser
from heedful.errors import SettingsError
from heedful.folders import OutputFolder
from heedful.image_files import png_bytes, read_image
from heedful.options import ClassImageOptions
from heedful.teaching.dataset import Size, TrainingImages
from heedful.world import is_world

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
METADATA = "metadata.jsonl"
CLASS_IMAGES = "class_images"
"""Where class images lie in a folder of taught concepts."""


def read_image_folder(folder: Path, caption: str) -> TrainingImages:
    """Return the images of a folder; captions from its metadata.jsonl (`file_name`, `text`), or all `caption`.

    Raises `SettingsError` for a folder without images, and for an image that cannot be read.
    """
    files = images_in(folder)
    if not files:
        raise SettingsError(f"Expected images ({', '.join(SUFFIXES)}) in the folder {folder}, found none.")
    said = captions_in(folder)
    return TrainingImages(
        tuple(read_image(file) for file in files), tuple(said.get(file.name, caption) for file in files)
    )


def make_class_images(
    pipe: ImagePipeline,
    prompts: Sequence[str],
    count: int,
    folder: Path,
    options: ClassImageOptions,
    *,
    size: Size,
    seed: int = 0,
    on_image: Callable[[int, int], None] = lambda done, total: None,
) -> TrainingImages:
    """Return `count` images of the classes: those that lie in `folder`, and as many more as the model must generate.

    It generates for the `prompts` in turn, each image from a seed of its own; a killed run continues. Images beyond
    `count` are left where they are, and unused.
    """
    there = len(images_in(folder))
    missing = [number for number in range(count) if not (folder / _name(number)).exists()][: max(0, count - there)]
    on_image(count - len(missing), count)
    if missing:
        output = OutputFolder(folder)
        with output.locked():
            # what is there already may be a person's: lines are added to it
            output.claim(*map(_name, missing), *([] if (folder / METADATA).exists() else [METADATA]))
            for start in range(0, len(missing), options.sample_batch_size):
                numbers = missing[start : start + options.sample_batch_size]
                texts = [prompts[number % len(prompts)] for number in numbers]
                generators = [torch.Generator("cpu").manual_seed(seed + number) for number in numbers]
                with torch.no_grad():
                    images = pipe(texts, generator=generators, **_arguments(pipe, options, size)).images
                captions = dict(zip(map(_name, numbers), texts, strict=True))
                pngs = dict(zip(captions, map(png_bytes, images), strict=True))
                # together: an image without its caption would be taken for something else
                output.write({METADATA: _with_captions(folder, captions), **pngs})
                on_image(count - len(missing) + start + len(numbers), count)
    found = read_image_folder(folder, prompts[0])
    return TrainingImages(found.images[:count], found.captions[:count])


def captions_in(folder: Path) -> dict[str, str]:
    """Return what a folder's metadata says of its files; raises `SettingsError` if it is broken."""
    file = folder / METADATA
    try:
        lines = [json.loads(line) for line in _lines(file)]
        return {str(line["file_name"]): str(line["text"]) for line in lines}
    except (OSError, ValueError, KeyError, TypeError) as reason:
        raise SettingsError(
            f"Expected lines such as {{'file_name': '00000.png', 'text': 'a cat'}} in {file}, got something else "
            f"({reason}). Correct it, or remove it."
        ) from reason


def _with_captions(folder: Path, captions: Mapping[str, str]) -> str:
    """Return the metadata of a folder with the captions of more files."""
    own = (json.dumps({"file_name": name, "text": text}) for name, text in captions.items())
    kept = (line for line in _lines(folder / METADATA) if json.loads(line)["file_name"] not in captions)
    return "".join(f"{line}\n" for line in (*kept, *own))


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()] if file.is_file() else []


def images_in(folder: Path) -> list[Path]:
    """Return the image files of a folder by name; none if there is no such folder."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES) if folder.is_dir() else []


def _name(number: int) -> str:
    return f"{number:05}.png"


def _arguments(pipe: ImagePipeline, options: ClassImageOptions, size: Size) -> dict[str, Any]:
    """Return the arguments of the pipeline's call that generates class images."""
    steps, scale = _usual(pipe)
    given = options.class_guidance_scale
    return {
        "num_inference_steps": options.class_steps or steps,
        "guidance_scale": scale if given is None else given,
        "height": size[0],
        "width": size[1],
    }


def _usual(pipe: ImagePipeline) -> tuple[int, float]:
    """Return steps and guidance scale: those of the embedded models, of U-Nets, or what the pipeline's call has."""
    denoiser = find_denoiser(pipe)
    if is_world(denoiser):
        return 20, 3.0
    if isinstance(denoiser, UNet2DConditionModel):
        return 50, 7.5
    defaults = inspect.signature(type(pipe).__call__).parameters
    return defaults["num_inference_steps"].default, defaults["guidance_scale"].default
