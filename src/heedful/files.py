"""Files that are whole or absent.

A reader never sees half of them, also after Ctrl-C, a kill or a power cut. That a result file exists means that its
work is done, so nothing else in heedful opens a result for writing.
"""

import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from heedful.errors import OutputError

PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
"""Endings of weights that can run code while they load: never read."""


def make_folder(path: Path | str) -> Path:
    """Make the folder `path` with its parents, if absent, and return it.

    Raises `OutputError` if it cannot be made or nothing can be written into it.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # a file without a name where the disk can do so: a kill leaves nothing
        with tempfile.TemporaryFile(dir=folder, prefix=".", suffix=".part"):
            pass
    except OSError as reason:
        raise OutputError(
            f"Expected a folder that can be written, got {folder} ({_why(reason)}). "
            "Choose another folder, or give yourself the right to write there."
        ) from reason
    return folder


def write_atomic(path: Path | str, content: bytes | str, *, through: Path | None = None) -> Path:
    """Write `content` (text as UTF-8, line ends unchanged) to `path`, replacing what was there, and return the path.

    The bytes go to a hidden file in the same folder, reach the disk, and then take the name. Whatever interrupts this,
    `path` holds either its old content or the new, never a part. Parents are made if absent. What a kill leaves of the
    hidden file stays; another folder of the same disk can be named for it (`through`), which is easier to clear.
    Raises `OutputError`.
    """
    return write_parts(path, [content], through=through)


def write_parts(path: Path | str, parts: Iterable[bytes | str], *, through: Path | None = None) -> Path:
    """Write what `parts` yields to `path`, one after the other, as `write_atomic` does, without ever holding all of it.

    If `parts` raises, that is raised as it is, and `path` stays as it was.
    """
    target = Path(path)
    temporary = _temporary(target if through is None else through / target.name)
    try:
        for folder in (target.parent, temporary.parent):
            folder.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as stream:
            for part in _told_apart(parts):
                stream.write(part.encode("utf-8") if isinstance(part, str) else part)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    except _PartsFailed as failed:
        raise failed.reason from None
    except OSError as reason:
        raise OutputError(
            f"Expected to write {target}, but it failed ({_why(reason)}). "
            "Choose another folder, free some space, or give yourself the right to write there."
        ) from reason
    finally:
        # After success the name is gone already; after any failure, KeyboardInterrupt too, nothing half-written stays.
        _remove_quietly(temporary)
    return target


class _PartsFailed(Exception):
    """What is to be written cannot be read, which is no error of writing."""

    def __init__(self, reason: OSError):
        self.reason = reason


def _told_apart(parts: Iterable[bytes | str]) -> Iterator[bytes | str]:
    try:
        yield from parts
    except OSError as reason:
        raise _PartsFailed(reason) from reason


def append_lines(path: Path | str, lines: Sequence[str]) -> None:
    """Add whole lines (without their line ends) to the end of `path`, and return when they are on the disk.

    If the disk is full or Ctrl-C comes meanwhile, the file is cut back to what it was. A kill can leave a part of them:
    whoever reads the file knows what is whole. Raises `OutputError`.
    """
    target = Path(path)
    data = "".join(f"{line}\n" for line in lines).encode("utf-8")
    try:
        is_new = not target.exists()
        with target.open("ab", buffering=0) as stream:
            before = stream.tell()
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[stream.write(rest) :]
                os.fsync(stream.fileno())
            except BaseException:
                os.ftruncate(stream.fileno(), before)
                raise
        if is_new:
            sync_folders([target.parent])
    except OSError as reason:
        raise OutputError(
            f"Expected to write {target}, but it failed ({_why(reason)}). "
            "Free some space, or give yourself the right to write there; what was there before is whole."
        ) from reason


def sync_folders(folders: Iterable[Path]) -> None:
    """Return when the names of the files in `folders` are on the disk, so that a power cut does not undo a rename.

    Raises `OutputError`.
    """
    if os.name == "nt":
        return  # Windows opens no folders, and writes names at once
    for folder in set(folders):
        try:
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as reason:
            raise OutputError(
                f"Expected the folder {folder} to stay while it is written to ({_why(reason)})."
            ) from reason


def _temporary(target: Path) -> Path:
    """Return a name next to `target` that no other process uses and that no reader takes for a result."""
    return target.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.part")


def _remove_quietly(path: Path) -> None:
    """Remove `path` if it is there; an error here would hide the one that matters."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _why(reason: OSError) -> str:
    """Return the operating system's own words, in lower case, without number and path."""
    return (reason.strerror or type(reason).__name__).lower()
