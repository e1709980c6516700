"""The folder of images: where each lies, how it was made, and which are done.

    OUT/METHOD/PROMPT/SEED.png      the layout that the field's metric scripts read
    OUT/metadata.jsonl              one line per image, for datasets.load_dataset("imagefolder", data_dir=OUT)

Knows files and the settings written into them. Knows nothing of models. Every image carries its settings in a PNG text
chunk, so an image alone says whether it is done, and metadata.jsonl can be made again from the images at any time.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from heedful.errors import OutputError, SettingsError
from heedful.files import make_folder, write_atomic

CHUNK = "heedful"
METADATA = "metadata.jsonl"
MASKS_NOTE = "masks"
"""The note in which an image carries the masks of its concepts; it is left out of metadata.jsonl."""
_LONGEST = 180  # bytes of a folder name; file systems allow 255, and archives add their own


@dataclass(frozen=True)
class Entry:
    """How one image was made."""

    settings: Mapping[str, Any]
    """What decides the image: prompt, seed, method and so on. Plain JSON values."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What is worth knowing but decides nothing: the final loss, versions."""


@dataclass(frozen=True)
class Gallery:
    """The images under one folder."""

    folder: Path

    def path(self, method: str, prompt: str, seed: int) -> Path:
        """Return where the image of this method, prompt and seed lies."""
        return self.folder / method / folder_name(prompt) / f"{seed}.png"

    def check(self) -> None:
        """Raise `OutputError` if the folder cannot be made or written, and leave nothing behind."""
        nearest = next(path for path in [self.folder, *self.folder.absolute().parents] if path.exists())
        if not nearest.is_dir():
            raise OutputError(
                f"Expected a folder to write to, got {self.folder}, but {nearest} is a file. Choose another folder."
            )
        had = self.folder.exists()
        make_folder(nearest if not had else self.folder)  # proves by a probe that one can write there

    def is_done(self, path: Path, settings: Mapping[str, Any]) -> bool:
        """Return whether the image at `path` exists and was made with `settings`.

        Raises `SettingsError` if it exists but was made in another way: heedful neither mixes nor replaces unasked.
        """
        if not path.exists():
            return False
        entry = read_entry(path)
        if entry is None:
            raise SettingsError(f"{path} is not an image of heedful's. {_REMEDY}")
        changes = differences(entry.settings, settings)
        if changes:
            raise SettingsError(f"{path} was made with other settings: {'; '.join(changes)}. {_REMEDY}")
        return True

    def save(self, path: Path, image: Image.Image, entry: Entry) -> None:
        """Write one image with its settings, whole or not at all."""
        write_atomic(path, encode(image, entry))

    def entries(self) -> Iterator[tuple[Path, Entry]]:
        """Yield every image of heedful's in the folder, by method, prompt and seed."""
        for path in sorted(self.folder.glob("*/*/*.png"), key=_order):
            entry = read_entry(path)
            if entry is not None:
                yield path, entry

    def write_metadata(self) -> Path:
        """Make metadata.jsonl again from the images that are there, and return its path."""
        rows = []
        for path, entry in self.entries():
            row = {"file_name": path.relative_to(self.folder).as_posix(), "text": entry.settings.get("prompt", "")}
            row |= {key: value for key, value in entry.settings.items() if key != "prompt"}
            row |= {key: value for key, value in entry.notes.items() if key != MASKS_NOTE}
            rows.append(json.dumps(row, ensure_ascii=False) + "\n")
        return write_atomic(self.folder / METADATA, "".join(rows))


def encode(image: Image.Image, entry: Entry) -> bytes:
    """Return an image with its settings as a PNG file: the same image and entry give the same bytes."""
    chunk = PngImagePlugin.PngInfo()
    chunk.add_text(CHUNK, json.dumps({"settings": dict(entry.settings), "notes": dict(entry.notes)}, sort_keys=True))
    buffer = BytesIO()
    image.save(buffer, format="PNG", pnginfo=chunk)
    return buffer.getvalue()


def read_entry(path: Path) -> Entry | None:
    """Return how the image at `path` was made, or None if it does not say so in heedful's way."""
    try:
        with Image.open(path) as image:
            written = json.loads(image.info[CHUNK])
        return Entry(written["settings"], written["notes"])
    except (UnidentifiedImageError, KeyError, TypeError, ValueError):
        return None


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return in words how `new` settings differ from `old` ones, after both went through JSON."""
    new = json.loads(json.dumps(dict(new)))
    return [
        f"{key.replace('_', ' ')} {_short(old.get(key))}, now {_short(new.get(key))}"
        for key in dict.fromkeys([*new, *old])
        if old.get(key) != new.get(key)
    ]


def folder_name(prompt: str) -> str:
    """Return `prompt` as the name of a folder: the prompt itself wherever a file system takes it.

    Slashes, backslashes and control characters become `_`, so do leading dots, and what is longer than 180 bytes is
    cut. A changed name ends in eight digits of the prompt's hash, so different prompts never share a folder.
    """
    name = re.sub(r"[/\\\x00-\x1f\x7f]", "_", prompt)
    name = re.sub(r"^\.+", lambda dots: "_" * len(dots[0]), name).strip()
    cut = name.encode()[:_LONGEST].decode(errors="ignore").rstrip()
    return cut if cut == prompt else f"{cut} {sha256(prompt.encode()).hexdigest()[:8]}"


_REMEDY = "Choose another folder, or have it made again."


def _order(path: Path) -> tuple[str, str, int, str]:
    return (path.parts[-3], path.parts[-2], int(path.stem) if path.stem.isdecimal() else -1, path.stem)


def _short(value: Any) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
