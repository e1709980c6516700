"""Masks and boxes as COCO JSON, the format that detection and segmentation tools read.

Knows the format. Knows nothing of maps. Masks are run-length encoded without compression, which pycocotools and what is
built on it read as they are; boxes are [left, top, width, height] in pixels.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool
from PIL import Image

from heedful.evaluation.gallery import MASKS_NOTE, Entry, Gallery
from heedful.evaluation.masks import Segment
from heedful.files import write_atomic

MASKS = "masks.json"


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
    """Write `masks.json` from the images of a gallery that carry masks, and return its path."""
    found = data_set(gallery.folder, gallery.entries())
    return write_atomic(gallery.folder / MASKS, json.dumps(found, ensure_ascii=False) + "\n")


def data_set(folder: Path, entries: Iterable[tuple[Path, Entry]]) -> dict[str, Any]:
    """Return the COCO data set of all images that carry masks; `entries` are those of a gallery in `folder`.

    A category is a concept's noun, in any colour; `concept` of an annotation has it with its modifiers.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    categories: dict[str, int] = {}
    for path, entry in entries:
        if MASKS_NOTE not in entry.notes:
            continue
        with Image.open(path) as image:
            width, height = image.size
        images.append(
            {
                "id": len(images) + 1,
                "file_name": path.relative_to(folder).as_posix(),
                "width": width,
                "height": height,
                "prompt": entry.settings.get("prompt"),
                "method": entry.settings.get("method"),
                "seed": entry.settings.get("seed"),
            }
        )
        for segment in entry.notes[MASKS_NOTE]:
            category = categories.setdefault(segment["noun"], len(categories) + 1)
            annotations.append(
                {"id": len(annotations) + 1, "image_id": len(images), "category_id": category, "iscrowd": 0}
                | {key: segment[key] for key in ("segmentation", "bbox", "area", "score", "concept")}
            )
    return {
        "info": {"description": "Masks from cross-attention, by heedful", "version": "1.0"},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": noun, "supercategory": "concept"} for noun, number in categories.items()],
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
