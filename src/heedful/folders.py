"""A folder of results: one writer at a time, files that appear together or not at all, nobody's own files replaced.

    OUT/.heedful/lock           held by whoever writes
    OUT/.heedful/files.json     which files heedful has made here under names that others use too
    OUT/.heedful/parts/         files while they are written
    OUT/.heedful/commit.json    files that are whole and about to take their names together

A folder may come from somebody else, so links in it are not followed out of it.
"""

import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from heedful.errors import OutputError
from heedful.files import make_folder, sync_folders, write_atomic

OWN = ".heedful"
_OTHER = "Choose another folder."


@dataclass(frozen=True)
class OutputFolder:
    """A folder that commands write their results to."""

    folder: Path

    @property
    def parts(self) -> Path:
        """Where files lie while they are written."""
        return self.folder / OWN / "parts"

    def check(self) -> None:
        """Raise `OutputError` if the folder cannot be made or written, and leave nothing behind."""
        nearest = next(path for path in [self.folder, *self.folder.absolute().parents] if path.exists())
        if not nearest.is_dir():
            raise OutputError(
                f"Expected a folder to write to, got {self.folder}, but {nearest} is a file. Choose another folder."
            )
        make_folder(nearest)  # proves by a probe that one can write there

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other writer away while the block is open, and tidy up what a kill has left.

        The lock goes with the process, also if it is killed. Raises `OutputError` if another one has it.
        """
        self.check()
        for path in (self.folder, self.folder / OWN, self.parts):
            if path.is_symlink() and path != self.folder:
                raise OutputError(f"Expected a folder at {path}, got a link, which is not followed. {_OTHER}")
            make_folder(path)
        file, holder = self.inside(f"{OWN}/lock"), self.inside(f"{OWN}/holder")
        lock = FileLock(file)
        try:
            lock.acquire(blocking=False)
        except Timeout as reason:
            by = holder.read_text(encoding="utf-8", errors="replace").strip() if holder.is_file() else "unknown"
            raise OutputError(
                f"Expected to be the only run in {self.folder}, but another one writes there ({by[:200]}). "
                "Wait for its end, or choose another folder."
            ) from reason
        except OSError as reason:
            raise OutputError(
                f"Expected to lock {file}, but it failed ({(reason.strerror or str(reason)).lower()}). "
                "It may belong to another user. Choose another folder, or give yourself the right to write there."
            ) from reason
        try:
            write_atomic(holder, f"process {os.getpid()} on {platform.node()}\n", through=self.parts)
            self._commit()
            for path in self.parts.iterdir():
                if path.is_symlink() or path.is_file():
                    path.unlink()
            yield
        finally:
            lock.release()

    def claim(self, *names: str) -> None:
        """Note that heedful makes the files called `names`; the caller holds the lock.

        Raises `OutputError` if one is there that heedful has not made: a person's own files are not replaced.
        """
        made = self.claimed()
        for name in names:
            if name not in made and (self.folder / name).exists():
                raise OutputError(
                    f"Expected a folder without {name}, got {self.folder}, where heedful has not made it. It is not "
                    "replaced. Choose another folder, or move the file away."
                )
        if not made.issuperset(names):
            content = json.dumps({"version": 1, "files": sorted(made.union(names))}, indent=1, ensure_ascii=False)
            write_atomic(self.inside(f"{OWN}/files.json"), content + "\n", through=self.parts)

    def claimed(self) -> set[str]:
        """Return the names that heedful has claimed here."""
        try:
            return set(json.loads((self.folder / OWN / "files.json").read_text(encoding="utf-8"))["files"])
        except (OSError, ValueError, KeyError, TypeError):
            return set()

    def inside(self, name: str) -> Path:
        """Return where `name` lies in the folder; raises `OutputError` for a name or a link that leads out of it."""
        path = self.folder / name
        own = self.folder.resolve()
        if not path.parent.resolve().is_relative_to(own) or (path.is_symlink() and not _is_in(path, own)):
            raise OutputError(
                f"Expected {name!r} inside {self.folder}, got a way out of it, to {path.resolve()}. Links out of a "
                f"folder of results are not followed. {_OTHER}"
            )
        if path.is_dir():
            raise OutputError(f"Expected a file at {path}, or nothing, got a folder. Move it away.")
        return path

    def write(self, files: Mapping[str, bytes | str]) -> None:
        """Write files by their names in the folder: all of them, or none; the caller holds the lock.

        What a kill interrupts after all are whole, the next `locked` brings to its end.
        """
        names = {f"{number}.whole": name for number, name in enumerate(files)}
        for part, name in names.items():
            self.inside(name)
            write_atomic(self.parts / part, files[name])
        write_atomic(self.folder / OWN / "commit.json", json.dumps(names), through=self.parts)
        try:
            self._commit()
        except KeyboardInterrupt:
            self._commit()
            raise

    def _commit(self) -> None:
        """Let the files that are whole take their names."""
        commit = self.folder / OWN / "commit.json"
        if not commit.is_file():
            return
        try:
            names = {str(part): str(name) for part, name in json.loads(commit.read_text(encoding="utf-8")).items()}
            targets = {self.parts / Path(part).name: self.inside(name) for part, name in names.items()}
            for part, target in targets.items():
                target.parent.mkdir(parents=True, exist_ok=True)
                if part.is_file():
                    part.replace(target)
            sync_folders([target.parent for target in targets.values()])
            commit.unlink()
        except (OSError, ValueError, AttributeError) as reason:
            if isinstance(reason, OutputError):
                raise
            raise OutputError(f"Expected to write into {self.folder}, but it failed ({reason}). {_OTHER}") from reason


def _is_in(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder)
