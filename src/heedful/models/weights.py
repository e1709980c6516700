"""Which weights a folder holds: refused if they are pickles, else recognised by a fingerprint."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from heedful.errors import UnsafeWeights
from heedful.files import PICKLES

_SAMPLE = 1 << 16  # bytes of each end of a weights file that go into its fingerprint


def refuse_pickles(folder: Path, library: str) -> None:
    """Raise `UnsafeWeights` if `folder`, or a folder in it, holds pickles without safetensors beside them.

    `library` is the one that the user could convert them with.
    """
    pickles = _pickles(folder)
    if pickles:
        raise unsafe(folder, pickles, library)


def fingerprint(folder: Path) -> str:
    """Return 12 hexadecimal digits that change with the configs, or the size or either end of a weights file.

    Only the folders of the components count: what lies beside them (cards, detectors) makes no images.
    """
    return digest_files(
        folder, [folder / "model_index.json", *folder.glob("*/*.json"), *folder.glob("*/*.safetensors")]
    )


def digest_files(folder: Path, files: Iterable[Path]) -> str:
    """Return 12 hexadecimal digits that change with the names in `folder`, the sizes, or either end of `files`."""
    digest = sha256()
    for path in sorted(files):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()} {size}\n".encode())
        with path.open("rb") as stream:
            digest.update(stream.read(_SAMPLE))
            stream.seek(max(0, size - _SAMPLE))
            digest.update(stream.read(_SAMPLE))
    return digest.hexdigest()[:12]


def _pickles(folder: Path) -> list[Path]:
    """Return the pickles of each component (and of the folder itself) that has no safetensors beside them."""
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
