"""Files that are whole or absent.

Knows how to put bytes on disk so that a reader never sees half of them, also after Ctrl-C, a kill or a power cut.
Knows nothing of what is in them. That a result file exists means that its work is done, so nothing else in heedful
opens a result for writing.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from heedful.errors import OutputError


def make_folder(path: Path | str) -> Path:
    """Make the folder `path` with its parents, if absent, and return it.

    Raises `OutputError` if it cannot be made or nothing can be written into it.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = _temporary(folder / "probe")
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as reason:
        raise OutputError(
            f"Expected a folder that can be written, got {folder} ({_why(reason)}). "
            "Choose another folder, or give yourself the right to write there."
        ) from reason
    return folder


def write_atomic(path: Path | str, content: bytes | str) -> Path:
    """Write `content` (text as UTF-8, line ends unchanged) to `path`, replacing what was there, and return the path.

    The bytes go to a hidden file in the same folder, reach the disk, and then take the name. Whatever interrupts this,
    `path` holds either its old content or the new, never a part. Parents are made if absent. Raises `OutputError`.
    """
    target = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary = _temporary(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    except OSError as reason:
        raise OutputError(
            f"Expected to write {target}, but it failed ({_why(reason)}). "
            "Choose another folder, free some space, or give yourself the right to write there."
        ) from reason
    finally:
        # After success the name is gone already; after any failure, KeyboardInterrupt too, nothing half-written stays.
        _remove_quietly(temporary)
    return target


def _temporary(target: Path) -> Path:
    """Return a name beside `target` that no other process uses and that no reader takes for a result."""
    return target.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.part")


def _remove_quietly(path: Path) -> None:
    """Remove `path` if it is there; an error here would hide the one that matters."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _why(reason: OSError) -> str:
    """Return the operating system's own words, in lower case, without number and path."""
    return (reason.strerror or type(reason).__name__).lower()
