"""Photos as a person has them: of any size, with captions, and with masks or boxes that say where each concept is.

What stands beside the files is read in formats that others write:

    photo.png
    photo.txt                   captions, one per line (kohya's convention); a photo is shown with each equally often
    photo-masklabel.png         white where the photo counts (OneTrainer's convention)
    photo-masklabel-cat1.png    white where the concept <cat1> is
    metadata.jsonl              in a folder: lines of Hugging Face's ImageFolder: file_name, text, and
                                objects {bbox: [[x, y, width, height]], categories: ["cat1"]} in pixels
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from heedful.errors import SettingsError
from heedful.image_files import read_image, read_mask, to_grey, to_rgb, upright
from heedful.teaching.class_images import METADATA, SUFFIXES, images_in
from heedful.teaching.concepts import NewConcept

_MASK = "-masklabel"


@dataclass(frozen=True, kw_only=True, eq=False)
class Photo:
    """One image to learn from, and what is known of it.

    Raises `SettingsError` for masks of another size than the image's.
    """

    image: Image.Image
    """Of any size and mode; it is turned upright, scaled to 8 bits, and laid on white where it is transparent."""
    captions: tuple[str, ...] = ()
    """What it shows, with the placeholders of the concepts in it; none: the prompt."""
    mask: Image.Image | None = None
    """White where the image counts in the denoising loss. None: where its concepts are, if `regions` has all that its
    captions name, else everywhere."""
    regions: Mapping[str, Image.Image] = field(default_factory=dict)
    """Masks that are white where a concept is, by its placeholder, `<cat1>`."""
    name: str = "image"
    """What messages call it."""

    def __post_init__(self) -> None:
        """Bring images into one form, and check their sizes."""
        object.__setattr__(self, "image", to_rgb(upright(self.image), f" in {self.name}"))
        if self.mask is not None:
            object.__setattr__(self, "mask", self._grey("the mask", self.mask))
        regions = {word: self._grey(f"the mask of {word}", mask) for word, mask in self.regions.items()}
        object.__setattr__(self, "regions", regions)

    def _grey(self, what: str, mask: Image.Image) -> Image.Image:
        grey = to_grey(upright(mask), f" in {what} of {self.name}")
        if grey.size != self.image.size:
            raise SettingsError(
                f"Expected a mask of the image's size, {self.image.width}x{self.image.height}, got "
                f"{grey.width}x{grey.height} as {what} of {self.name}."
            )
        if not grey.getbbox():
            raise SettingsError(
                f"Expected masks that are white where something is, got {what} of {self.name}, which is black all "
                "over. Mark something there, or remove it."
            )
        return grey


def as_photos(images: Any, masks: Sequence[Image.Image] | None = None) -> tuple[Photo, ...]:
    """Return photos of images, photos, or one of either; `masks` say where images count, one each.

    Raises `SettingsError` for no image, and unless there is one mask for each.
    """
    given = (images,) if isinstance(images, Image.Image | Photo) else tuple(images)
    if not given:
        raise SettingsError("Expected at least one image to learn from, got none.")
    if masks is not None and len(masks) != len(given):
        raise SettingsError(f"Expected one mask for each of {len(given)} images, got {len(masks)}.")
    photos = (
        one if isinstance(one, Photo) else Photo(image=one, name=f"image {number}")
        for number, one in enumerate(given, start=1)
    )
    if masks is None:
        return tuple(photos)
    return tuple(replace(photo, mask=mask) for photo, mask in zip(photos, masks, strict=True))


def check_regions(photos: Sequence[Photo], concepts: Sequence[NewConcept]) -> None:
    """Raise `SettingsError` for a mask or box of something that is not learnt."""
    known = [concept.placeholder for concept in concepts]
    for photo in photos:
        for word in photo.regions:
            if word not in known:
                raise SettingsError(
                    f"Expected masks and boxes of what is learnt ({', '.join(known)}), got one of {word} for "
                    f"{photo.name}. Name it by its placeholder."
                )


def read_photos(paths: Sequence[Path], *, captions: bool = True) -> list[Photo]:
    """Return the photos in files, or in one folder, with what stands beside them; `metadata.jsonl` only in a folder.

    Without `captions`, those are not read. Raises `SettingsError` for what cannot be read.
    """
    folders = [path for path in paths if path.is_dir()]
    if folders and len(paths) > 1:
        raise SettingsError(f"Expected images or one folder of them, got the folder {folders[0]} among others.")
    if not folders:
        return [_read(path, {}, captions) for path in paths]
    files = [path for path in images_in(folders[0]) if _MASK not in path.stem]
    if not files:
        raise SettingsError(f"Expected images ({', '.join(SUFFIXES)}) in the folder {folders[0]}, found none.")
    said = _metadata(folders[0] / METADATA)
    return [_read(path, said.get(path.name, {}), captions) for path in files]


def _read(file: Path, said: Mapping[str, Any], captions: bool) -> Photo:
    image = read_image(file)
    mask, regions = None, _boxes(said.get("objects"), image.size, file)
    for path in images_in(file.parent):
        before, found, word = path.stem.rpartition(_MASK)
        if not found or before != file.stem:
            continue
        if word:
            regions[_placeholder(word.removeprefix("-"))] = read_mask(path)
        else:
            mask = read_mask(path)
    texts = tuple(_captions(file.with_suffix(".txt")) or _text_in(said, file)) if captions else ()
    return Photo(image=image, captions=texts, mask=mask, regions=regions, name=str(file))


def _captions(file: Path) -> list[str]:
    if not file.is_file():
        return []
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, ValueError) as reason:
        raise SettingsError(
            f"Expected captions in {file}, but it cannot be read ({reason}). Save it as UTF-8."
        ) from reason
    if not lines:
        raise SettingsError(f"Expected a caption in {file}, got an empty file. Write one, or remove it.")
    return lines


def _text_in(said: Mapping[str, Any], file: Path) -> list[str]:
    text = said.get("text")
    if text is None:
        return []
    if not isinstance(text, str) or not text.strip():
        raise SettingsError(f"Expected a caption as the text of {file.name} in {METADATA}, got {text!r}.")
    return [text.strip()]


def _metadata(file: Path) -> dict[str, dict[str, Any]]:
    """Return the lines of a folder's metadata by the file that they are about; nothing without it."""
    if not file.is_file():
        return {}
    try:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        return {str(line["file_name"]): dict(line) for line in lines}
    except (OSError, ValueError, KeyError, TypeError) as reason:
        raise SettingsError(
            f"Expected lines such as {{'file_name': 'photo.png', 'text': 'a <cat1> cat'}} in {file}, got something "
            f"else ({reason}). Correct it, or remove it."
        ) from reason


def _boxes(objects: Any, size: tuple[int, int], file: Path) -> dict[str, Image.Image]:
    """Return a mask for each box of an image; several boxes of one concept are one mask."""
    regions: dict[str, Image.Image] = {}
    for word, box in _pairs(objects, file):
        left, top, width, height = box
        right, bottom = min(size[0], round(left + width)), min(size[1], round(top + height))
        corners = (max(0, round(left)), max(0, round(top)), right, bottom)
        if corners[0] >= corners[2] or corners[1] >= corners[3]:
            raise SettingsError(
                f"Expected boxes [x, y, width, height] inside the {size[0]}x{size[1]} pixels of {file}, got {box}."
            )
        mask = regions.setdefault(word, Image.new("L", size, 0))
        mask.paste(255, corners)
    return regions


def _pairs(objects: Any, file: Path) -> Iterator[tuple[str, list[float]]]:
    if objects is None:
        return
    try:
        for word, box in zip(objects["categories"], objects["bbox"], strict=True):
            left, top, width, height = map(float, box)
            yield _placeholder(word), [left, top, width, height]
    except (TypeError, ValueError, KeyError, AttributeError) as reason:
        raise SettingsError(
            f"Expected objects such as {{'bbox': [[x, y, width, height]], 'categories': ['cat1']}} of {file.name} in "
            f"{METADATA}, got {objects!r}."
        ) from reason


def _placeholder(word: str) -> str:
    return word if word.startswith("<") else f"<{word}>"
