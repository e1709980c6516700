"""Masks and boxes as COCO JSON, the format that detection and segmentation tools read.

Masks are run-length encoded without compression, which pycocotools and what is
built on it read as they are; boxes are [left, top, width, height] in pixels.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool
from PIL import Image

from heedful.attention import Segment
from heedful.files import write_parts
from heedful.image_files import png_bytes
from heedful.images.gallery import MASKS_NOTE, Entry, Gallery, folder_name

MASKS = "masks.json"
MASK_IMAGES = "masks"


def describe_segments(segments: Iterable[Segment]) -> list[dict[str, Any]]:
    """Return segments as plain JSON values, those with a pixel or more: what an image carries in its notes."""
    return [
        {
            "concept": segment.concept.name,
            "noun": segment.concept.noun,
            "segmentation": run_lengths(segment.mask),
            "bbox": box_of(segment.mask),
            "area": int(segment.mask.sum()),
            "score": round(segment.score, 4),
        }
        for segment in segments
        if segment.mask.any()
    ]


def write_coco(gallery: Gallery) -> Path:
    """Write `masks.json` from the images of a gallery that carry masks, and return its path.

    The caller holds the gallery's lock.
    A category is a concept's noun, in any colour; `concept` of an annotation has it with its modifiers. One image is
    held at a time: those of a benchmark can be more than memory takes.
    """
    gallery.claim(MASKS)
    return write_parts(gallery.inside(MASKS), _parts(gallery), through=gallery.parts)


def write_mask_images(gallery: Gallery) -> Path:
    """Write the masks of every image as PNG, masks/METHOD/PROMPT/SEED/CONCEPT.png, and return their folder.

    White is where the concept is; a concept that the prompt names twice is numbered. The caller holds the gallery's
    lock.
    """
    for _, path, entry in _masked(gallery):
        place = path.relative_to(gallery.folder).with_suffix("").as_posix()
        names = [segment["concept"] for segment in entry.notes[MASKS_NOTE]]
        files = {}
        for index, segment in enumerate(entry.notes[MASKS_NOTE]):
            count = names[: index + 1].count(names[index])
            name = names[index] if names.count(names[index]) == 1 else f"{names[index]} {count}"
            mask = Image.fromarray(mask_of(segment["segmentation"]).astype(np.uint8) * 255)
            files[f"{MASK_IMAGES}/{place}/{folder_name(name)}.png"] = png_bytes(mask)
        gallery.claim(*files)
        gallery.write(files)
    return gallery.folder / MASK_IMAGES


def _parts(gallery: Gallery) -> Iterator[str]:
    """The file's text, piece by piece; images are read twice, for the format has all of them before any annotation."""
    info = {"description": "Masks from cross-attention, by heedful", "version": "1.0"}
    yield f'{{"info": {json.dumps(info)}, "licenses": [],\n"images": ['
    yield from _listed(_image(gallery.folder, *found) for found in _masked(gallery))
    yield '],\n"annotations": ['
    categories: dict[str, int] = {}
    yield from _listed(_annotations(gallery, categories))
    named = [{"id": number, "name": noun, "supercategory": "concept"} for noun, number in categories.items()]
    yield f'],\n"categories": {json.dumps(named, ensure_ascii=False)}}}\n'


def _listed(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for index, row in enumerate(rows):
        yield f"{',' if index else ''}\n{json.dumps(row, ensure_ascii=False)}"


def _masked(gallery: Gallery) -> Iterator[tuple[int, Path, Entry]]:
    """The images that carry masks, numbered from 1."""
    there = ((path, entry) for path, entry in gallery.entries() if MASKS_NOTE in entry.notes)
    return ((number, path, entry) for number, (path, entry) in enumerate(there, 1))


def _image(folder: Path, number: int, path: Path, entry: Entry) -> dict[str, Any]:
    with Image.open(path) as image:
        width, height = image.size
    return {
        "id": number,
        "file_name": path.relative_to(folder).as_posix(),
        "width": width,
        "height": height,
        "prompt": entry.settings.get("prompt"),
        "method": entry.settings.get("method"),
        "seed": entry.settings.get("seed"),
    }


def _annotations(gallery: Gallery, categories: dict[str, int]) -> Iterator[dict[str, Any]]:
    """The masks of all images, numbered from 1; new nouns join `categories`."""
    number = 0
    for image, _, entry in _masked(gallery):
        for segment in entry.notes[MASKS_NOTE]:
            number += 1
            category = categories.setdefault(segment["noun"], len(categories) + 1)
            yield {"id": number, "image_id": image, "category_id": category, "iscrowd": 0} | {
                key: segment[key] for key in ("segmentation", "bbox", "area", "score", "concept")
            }


def run_lengths(mask: Bool[np.ndarray, "height width"]) -> dict[str, list[int]]:
    """Return a mask as COCO's run lengths: column by column, lengths of runs outside and inside in turn."""
    cells = mask.flatten(order="F")
    changes = np.flatnonzero(cells[1:] != cells[:-1]) + 1
    counts = np.diff([0, *changes.tolist(), len(cells)]).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if cells[0] else counts}


def mask_of(segmentation: Mapping[str, Sequence[int]]) -> Bool[np.ndarray, "height width"]:
    """Return the mask of COCO's run lengths."""
    counts = segmentation["counts"]
    cells = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return cells.reshape(tuple(segmentation["size"]), order="F")


def box_of(mask: Bool[np.ndarray, "height width"]) -> list[int]:
    """Return [left, top, width, height] in pixels of the smallest box around a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    return [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1]
