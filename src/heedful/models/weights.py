"""Which weights a folder holds: refused if they are pickles, else recognised by a fingerprint."""

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import file_digest, sha256
from pathlib import Path

from heedful.errors import UnsafeWeights
from heedful.files import PICKLES


def refuse_pickles(folder: Path, library: str) -> None:
    """Raise `UnsafeWeights` if `folder`, or a folder in it, holds pickles without safetensors next to them.

    An index of weights in several files may name safetensors alone, for libraries load whatever it names. `library` is
    the one that the user could convert the pickles with.
    """
    pickles = _pickles(folder)
    if pickles:
        raise unsafe(folder, pickles, library)
    for index in [*folder.glob("*.safetensors.index.json"), *folder.glob("*/*.safetensors.index.json")]:
        try:
            names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as reason:
            raise UnsafeWeights(f"Expected an index of weights in {index}, but it is none ({reason}).") from reason
        wrong = sorted(str(name) for name in names if not _is_safetensors(name))
        if wrong:
            raise UnsafeWeights(
                f"Expected an index of *.safetensors in {index}, got {', '.join(wrong[:4])}. Other weights can run "
                "code while they load. Get the model from somewhere else."
            )


def fingerprint(folder: Path, variant: str | None = None) -> str:
    """Return 12 hexadecimal digits that change with the configs and weights of a pipeline.

    Only the folders of the components count: what lies next to them (cards, detectors) makes no images. With a
    `variant`, only its weights count in the components that have it.
    """
    files = [*folder.glob("*/*.safetensors")]
    if variant is not None:
        chosen = [file for file in files if is_of_variant(file, variant)]
        parts = {file.parent for file in chosen}
        files = chosen + [file for file in files if file.parent not in parts]
    return digest_files(folder, [folder / "model_index.json", *folder.glob("*/*.json"), *files])


def is_of_variant(file: Path, variant: str) -> bool:
    """Return whether a file of weights is of a variant: model.fp16.safetensors, or a part of several."""
    return re.search(rf"\.{re.escape(variant)}[.-]", file.name) is not None


def digest_files(folder: Path, files: Iterable[Path]) -> str:
    """Return 12 hexadecimal digits that change with the names in `folder` and with any byte of `files`."""
    digest = sha256()
    for path in sorted(files):
        stat = path.stat()
        content = _digest(path.resolve(), stat.st_size, stat.st_mtime_ns)
        digest.update(f"{path.relative_to(folder).as_posix()} {stat.st_size} {content}\n".encode())
    return digest.hexdigest()[:12]


@lru_cache(maxsize=4096)
def _digest(path: Path, _size: int, _mtime: int) -> str:
    """Return the digest of a whole file, read once as long as its size and time stay the same."""
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def _is_safetensors(name: object) -> bool:
    return isinstance(name, str) and name.endswith(".safetensors") and Path(name).name == name


def _pickles(folder: Path) -> list[Path]:
    """Return the pickles of each component (and of the folder itself) that has no safetensors next to them."""
    found: list[Path] = []
    for part in [folder, *sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")]:
        files = sorted(path for path in part.iterdir() if path.is_file())
        if not any(path.suffix == ".safetensors" for path in files):
            found += [path for path in files if path.suffix in PICKLES]
    return found


def unsafe(folder: Path, pickles: list[Path], library: str) -> UnsafeWeights:
    """Return the error for `pickles` in `folder`, which `library` could convert."""
    names = ", ".join(path.relative_to(folder).as_posix() for path in pickles[:4]) + (" ..." if pickles[4:] else "")
    return UnsafeWeights(
        f"Expected weights as *.safetensors in {folder}, got pickles, which can run code while they load: {names}. "
        f"If you trust them, load them with {library} once and write save_pretrained(FOLDER), which gives safetensors."
    )
