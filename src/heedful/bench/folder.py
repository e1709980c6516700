"""The folder of a benchmark: who writes to it, what it is a benchmark of, and which runs made it.

    OUT/METHOD/PROMPT/SEED.png    the images
    OUT/records/                  `records`
    OUT/suite.jsonl               the prompts, in the form in which a suite is read
    OUT/runs/RUN.json             how each run went about it: settings, versions, hardware
    OUT/.lock                     held by the run that writes
    OUT/.parts/                   images while they are written

One folder holds one suite, one model and one way of sampling; methods, seeds and more prompts may join. Knows nothing
of how images are made.
"""

import fcntl
import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heedful.bench import records
from heedful.bench.suite_files import Line, read_prompts
from heedful.bench.suites import Suite
from heedful.errors import OutputError, SettingsError
from heedful.files import make_folder, write_atomic
from heedful.images import Gallery, differences

PARTS = ".parts"
_SAME = ("suite", "weights", "settings", "same_noise")
_OTHER = "Choose another folder."


@dataclass(frozen=True)
class BenchFolder:
    """The results of a benchmark under one folder."""

    folder: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other run away while the block is open; what a kill left half-written is cut off first.

        The lock goes with the process, also if it is killed. Raises `OutputError` if another run has it.
        """
        Gallery(self.folder).check()
        make_folder(self.folder)
        handle = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as reason:
                holder = os.pread(handle, 200, 0).decode(errors="replace").strip() or "unknown"
                raise OutputError(
                    f"Expected to be the only run in {self.folder}, but another one writes there ({holder}). "
                    "Wait for its end, or choose another folder."
                ) from reason
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} on {platform.node()}\n".encode(), 0)
            make_folder(self.folder / records.FOLDER)
            for path in make_folder(self.folder / PARTS).iterdir():
                path.unlink()
            for path in [*records.shards(self.folder), *records.shards(self.folder, of="scores")]:
                records.trim(path)
            yield
        finally:
            os.close(handle)

    def runs(self) -> list[dict[str, Any]]:
        """Return what each run so far has said of itself, the earliest first; raises `SettingsError`."""
        found = []
        for path in sorted((self.folder / "runs").glob("*.json")):
            try:
                found.append(json.loads(path.read_text(encoding="utf-8")))
            except ValueError as reason:
                raise SettingsError(f"Expected a run in {path}, but it is no JSON ({reason}). {_OTHER}") from reason
        return found

    def check(self, run: Mapping[str, Any], suite: Suite) -> None:
        """Raise `SettingsError` if a run like `run` cannot join those that are there, and say why."""
        earlier = self.runs()
        if not earlier and next(self.folder.glob("*/*/*.png"), None) is not None:
            raise SettingsError(f"Expected a folder without images of another command, got {self.folder}. {_OTHER}")
        for old in earlier:
            changes = differences(_identity(old), _identity(run))
            common = [name for name in run["methods"] if name in old["methods"]]
            changes += [f"the method {name}" for name in common if old["methods"][name] != run["methods"][name]]
            if changes:
                raise SettingsError(
                    f"{self.folder} holds a benchmark that was made in another way: {'; '.join(changes)}. {_OTHER}"
                )
        for place, (old, new) in enumerate(zip(self.suite(suite.name).lines, suite.lines, strict=False), 1):
            if old != new:
                raise SettingsError(
                    f"Expected the suite that {self.folder} holds, perhaps with more prompts at its end, but prompt "
                    f"{place} was {old.prompt!r} and is {new.prompt!r}. {_OTHER}"
                )

    def write_run(self, run: Mapping[str, Any], suite: Suite) -> None:
        """Write what a run says of itself, and its prompts where they are more than those that are there."""
        if len(suite.lines) > len(self.suite(suite.name).lines):
            write_atomic(self.folder / "suite.jsonl", "".join(f"{line.to_json()}\n" for line in suite.lines))
        write_atomic(self.folder / "runs" / f"{run['run']}.json", json.dumps(dict(run), indent=1) + "\n")

    def suite(self, name: str = "") -> Suite:
        """Return the prompts that are here, none in a new folder."""
        file = self.folder / "suite.jsonl"
        lines: tuple[Line, ...] = read_prompts(file) if file.is_file() else ()
        return Suite(name, lines)


def _identity(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is the same in all runs of a folder; the size of a batch may change."""
    same = {key: run[key] for key in _SAME if key != "settings"}
    same["masks"] = run.get("masks", False)  # of a folder, all images carry them or none
    return same | {key: value for key, value in run["settings"].items() if key != "batch_size"}
