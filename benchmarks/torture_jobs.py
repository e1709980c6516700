"""The jobs that `torture.py` disturbs, how one runs in a process of its own, and how results are compared."""

import contextlib
import hashlib
import json
import multiprocessing
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["heedful.cli.main", "heedful.bench", "heedful.scores", "heedful.teaching"])

PHOTO = Path(__file__).parents[1] / "src/heedful/world/data/one_image_concepts/bear-rabbit.png"
NOT_COMPARED = ("seconds", "run")
"""What a record says of the time and of the run, which no two runs share."""


@dataclass(frozen=True)
class Job:
    """A command without its output folder, and what of its results must be the same after any disturbance."""

    name: str
    command: tuple[str, ...]
    results: Callable[[Path], dict[str, Any]]


@dataclass(frozen=True)
class Found:
    """What came of one kind of disturbance of one job."""

    trial: str
    disturbances: int
    faults: tuple[str, ...]
    """Each a sentence; empty if nothing broke."""
    remark: str = ""

    def __str__(self) -> str:
        verdict = "; ".join(self.faults) or "nothing lost, doubled or changed"
        return f"{self.trial}: {self.disturbances} disturbances, {verdict}{self.remark}"


def images(folder: Path) -> dict[str, bytes]:
    """Return every image of a folder by its path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("*/*/*.png")}


def pixels(folder: Path) -> dict[str, Any]:
    """Return a digest of the pixels of every PNG file below a folder, by its path."""
    found = {}
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as image:
            found[path.relative_to(folder).as_posix()] = hashlib.sha256(np.asarray(image).tobytes()).hexdigest()
    return found


def weights(folder: Path) -> dict[str, Any]:
    """Return the bytes of every safetensors file below a folder, and the pixels of every sheet, by path."""
    files = (path for path in sorted(folder.rglob("*.safetensors")) if "checkpoint" not in path.name)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files} | pixels(folder)


def records(folder: Path) -> dict[str, Any]:
    """Return images and records of a benchmark, each record as often as it is there."""
    lines = record_lines(folder)
    counts = Counter(line["key"] for line in lines)
    kept = {line["key"]: {name: value for name, value in line.items() if name not in NOT_COMPARED} for line in lines}
    return {f"{key} x{counts[key]}": json.dumps(kept[key], sort_keys=True) for key in kept} | images(folder)


def record_lines(folder: Path) -> list[dict[str, Any]]:
    """Return the whole lines of the records of a benchmark."""
    texts = [path.read_bytes() for path in (folder / "records").glob("cases-*.jsonl")]
    return [json.loads(line) for text in texts for line in text.split(b"\n")[:-1]]


_SMALL = ("--steps", "2", "--batch-size", "2")
_TEACH = (
    "teach", str(PHOTO), "--prompt", "a <one> bear and a <two> rabbit", "--max-train-steps", "8",
    "--num-class-images", "4", "--train-batch-size", "1", "--checkpointing-steps", "2", "--validation-steps", "4",
    "--num-validation-images", "1",
)  # fmt: skip
JOBS = {
    job.name: job
    for job in (
        Job("generate", ("generate", "a cat and a blue clock", "--compare", "none,heedful", "--seeds", "0-5", *_SMALL),
            images),
        Job("bench", ("bench", "run", "--suite", "world-two-development", "--limit", "4", "--seeds", "0-2", "--methods",
                      "none,heedful", "--masks", *_SMALL), records),
        Job("teach", (*_TEACH, "--method", "disendiff"), weights),
        Job("teach-lora", (*_TEACH, "--method", "disendiff-lora"), weights),
        Job("world", ("world", "train", "--miniature"), weights),
    )
}  # fmt: skip


def half_done(folder: Path) -> list[str]:
    """Return what is half-done: parts of files or of groups of files, records cut off, images without a record."""
    parts = [path for path in folder.rglob("*") if path.suffix in (".part", ".whole") or path.name == "commit.json"]
    shards = list((folder / "records").glob("cases-*.jsonl"))
    cut = [path for path in shards if (text := path.read_bytes()) and not text.endswith(b"\n")]
    has_records = (folder / "records").is_dir()
    unrecorded = set(images(folder)) - {line["image"] for line in record_lines(folder)} if has_records else set()
    return sorted({path.relative_to(folder).as_posix() for path in [*parts, *cut]} | unrecorded)


def compare(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return a sentence for what is lost, too many, and changed."""
    lost, more = expected.keys() - found.keys(), found.keys() - expected.keys()
    changed = [name for name in expected.keys() & found.keys() if expected[name] != found[name]]
    return [
        f"{len(names)} {what} ({sorted(names)[0]})"
        for what, names in (("lost", lost), ("too many", more), ("changed", changed))
        if names
    ]


def run(
    job: Job,
    folder: Path | None,
    *,
    stop: tuple[int, float] | None = None,
    limit: int | None = None,
    say: Path | None = None,
) -> int | None:
    """Run a job in a process of its own, and return its exit code.

    With `stop`, it is killed so many seconds after it has written so many files; with `limit`, no file can be larger.
    What it says goes to `say`.
    """
    command = [*job.command, *(["--out", str(folder)] if folder is not None else [])]
    start = time.time_ns()
    process = _FORKS.Process(target=_heedful, args=(command, limit, say))
    process.start()
    if stop is not None and folder is not None:
        count, wait = stop
        while process.is_alive() and sum(1 for _ in _written(folder, start)) < count:
            time.sleep(0.005)
        process.join(wait)
        process.kill()
    process.join()
    return process.exitcode


def _written(folder: Path, start: int) -> Iterator[Path]:
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime_ns >= start:
                yield path


def _heedful(command: Sequence[str], limit: int | None, say: Path | None) -> None:
    from heedful.cli.main import main as heedful

    with Path(say or os.devnull).open("w", encoding="utf-8") as stream:
        os.dup2(stream.fileno(), sys.stdout.fileno())
        os.dup2(stream.fileno(), sys.stderr.fileno())
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        heedful(list(command))
