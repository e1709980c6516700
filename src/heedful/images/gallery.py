"""The folder of images: where each lies, how it was made, and which are done.

    OUT/METHOD/PROMPT/SEED.png      the layout that the field's metric scripts read
    OUT/metadata.jsonl              one line per image, for datasets.load_dataset("imagefolder", data_dir=OUT)

Every image carries its settings in a PNG text chunk, so an image alone says whether it is done, and metadata.jsonl can
be made again from the images at any time.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from heedful.errors import SettingsError
from heedful.files import write_atomic
from heedful.folders import OutputFolder
from heedful.image_files import BROKEN, is_whole_png, png_bytes

CHUNK = "heedful"
METADATA = "metadata.jsonl"
MASKS_NOTE = "masks"
"""The note in which an image carries the masks of its concepts; metadata.jsonl skips it."""
_LONGEST = 180  # bytes of a folder name; file systems allow 255, and archives add their own
_REMEDY = "Choose another folder, or overwrite what is there."


@dataclass(frozen=True)
class Entry:
    """How one image was made."""

    settings: Mapping[str, Any]
    """What decides the image: prompt, seed, method and so on. Plain JSON values."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What is worth knowing but decides nothing: the final loss, versions."""


@dataclass(frozen=True)
class Gallery(OutputFolder):
    """The images under one folder."""

    _lines: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    """The line in metadata.jsonl of each image that has been read or written, so that none is opened again."""

    def find(self, name: str, settings: Mapping[str, Any]) -> Entry | None:
        """Return how the image called `name` was made, or None if it is not there, or cut off.

        Raises `SettingsError` if it was made with other settings: heedful neither mixes nor replaces unasked.
        """
        path = self.folder / name
        if not path.exists():
            return None
        entry = read_entry(path)
        if entry is None:
            raise SettingsError(f"{path} is not an image of heedful's. {_REMEDY}")
        changes = differences(entry.settings, settings)
        if changes:
            raise SettingsError(f"{path} was made with other settings: {'; '.join(changes)}. {_REMEDY}")
        if not is_whole(path):
            return None
        self._remember(name, entry)
        return entry

    def write_images(self, images: Mapping[str, bytes]) -> None:
        """Write the images of a batch together, so that the next run never finds a part of one."""
        self.write(images)
        for name, content in images.items():
            entry = read_entry(content)
            assert entry is not None
            self._remember(name, entry)

    def entries(self) -> Iterator[tuple[Path, Entry]]:
        """Yield every image of heedful's in the folder, by method, prompt and seed."""
        for path in self._paths():
            entry = read_entry(path)
            if entry is not None and is_whole(path):
                yield path, entry

    def write_metadata(self) -> Path:
        """Make metadata.jsonl again from the images that are there, and return its path."""
        lines = []
        for path in self._paths():
            name = path.relative_to(self.folder).as_posix()
            if name not in self._lines:
                entry = read_entry(path)
                if entry is None or not is_whole(path):
                    continue
                self._remember(name, entry)
            lines.append(self._lines[name])
        return write_atomic(self.inside(METADATA), "".join(lines), through=self.parts)

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("*/*/*.png"), key=_order)

    def _remember(self, name: str, entry: Entry) -> None:
        row = {"file_name": name, "text": entry.settings.get("prompt", "")}
        row |= {key: value for key, value in entry.settings.items() if key != "prompt"}
        row |= {key: value for key, value in entry.notes.items() if key != MASKS_NOTE}
        self._lines[name] = json.dumps(row, ensure_ascii=False) + "\n"


def encode(image: Image.Image, entry: Entry) -> bytes:
    """Return an image with its settings as a PNG file: the same image and entry give the same bytes."""
    settings = {"settings": dict(entry.settings), "notes": dict(entry.notes)}
    return png_bytes(image, **{CHUNK: json.dumps(settings, sort_keys=True)})


def read_entry(image: Path | bytes) -> Entry | None:
    """Return how an image was made, or None if it does not say so in heedful's way."""
    try:
        with Image.open(image if isinstance(image, Path) else BytesIO(image)) as opened:
            written = json.loads(opened.info[CHUNK])
        return Entry(dict(written["settings"]), dict(written["notes"]))
    except (*BROKEN, KeyError, TypeError):
        return None


def is_whole(path: Path) -> bool:
    """Return whether the end of the PNG file at `path` is there."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 12))
        return is_whole_png(stream.read())


def differences(old: Any, new: Any, name: str = "") -> list[str]:
    """Return in words how `new` settings differ from `old` ones, after both went through JSON."""
    new = json.loads(json.dumps(new, default=dict))
    if old == new:
        return []
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = dict.fromkeys([*new, *old])
        return [
            change
            for key in keys
            for change in differences(old.get(key), new.get(key), f"{name} {key}".strip().replace("_", " "))
        ]
    return [f"{name} {_short(old)}, now {_short(new)}"]


def image_name(method: str, prompt: str) -> str:
    """Return the name of an image below its folder, with {} for its seed."""
    return "/".join(folder_name(part).replace("{", "{{").replace("}", "}}") for part in (method, prompt)) + "/{}.png"


def folder_name(text: str) -> str:
    """Return `text` as the name of a folder: the text itself wherever a file system takes it.

    Slashes, backslashes and control characters become `_`, so do leading dots, and what is longer than 180 bytes is
    cut. A changed name ends in eight digits of the text's hash, so different texts never share a folder.
    """
    name = re.sub(r"[/\\\x00-\x1f\x7f]", "_", text)
    name = re.sub(r"^\.+", lambda dots: "_" * len(dots[0]), name).strip()
    cut = name.encode()[:_LONGEST].decode(errors="ignore").rstrip()
    return cut if cut == text else f"{cut} {sha256(text.encode()).hexdigest()[:8]}"


def _order(path: Path) -> tuple[str, str, int, str]:
    return (path.parts[-3], path.parts[-2], int(path.stem) if path.stem.isdecimal() else -1, path.stem)


def _short(value: Any) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
