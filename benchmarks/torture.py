"""Tries to break heedful, by a seed: kills, full disks, truncated records and bad files, with a figure for each.

    python benchmarks/torture.py --kills 10 --full-disks 6 --truncations 500 --bad-files 200 --seed 0

Every job runs once without disturbance and once disturbed again and again, with the same command each time, until it
is through; then its results are compared bit for bit. Prints a line per trial and exits with 1 if anything was lost,
doubled, changed or answered with a traceback. docs/reliability.md quotes the figures.
"""

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
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
LEFT_OUT = ("seconds", "run")
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
    kept = {line["key"]: {name: value for name, value in line.items() if name not in LEFT_OUT} for line in lines}
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


def killed(job: Job, folder: Path, kills: int, moments: random.Random) -> Found:
    """Kill a job with SIGKILL at random moments until it has been hit `kills` times; then let it end, and compare.

    Half of the kills come within 10 ms after a file appeared, when most can go wrong, the others at any time.
    """
    whole, other = folder / "whole", folder / "killed"
    start = time.perf_counter()
    if _run(job, whole):
        return Found(f"{job.name}, killed", 0, ("the undisturbed run failed",))
    seconds = time.perf_counter() - start
    expected = job.results(whole)
    files = sum(path.is_file() for path in whole.rglob("*"))
    hits, torn, ends, faults = 0, 0, 0, []
    while hits < kills:
        count = moments.randint(0, max(1, 2 * files // kills))
        wait = moments.uniform(0, moments.choice((0.01, seconds / max(files, 1))))
        code = _run(job, other, stop=(count, wait))
        if code == -signal.SIGKILL:
            hits += 1
            torn += is_torn(other)
            continue
        faults += compare(expected, job.results(other)) if code == 0 else [f"it ended with exit code {code}"]
        ends += 1  # through before the kill: again from the start, in a folder that nothing is in
        other = folder / f"killed-{ends}"
    if _run(job, other):
        faults.append("the run did not end")
    else:
        faults += compare(expected, job.results(other))
    if is_torn(other):
        faults.append("something half-done stayed")
    return Found(f"{job.name}, killed", kills, tuple(faults), f" ({torn} kills left something half-done)")


def is_torn(folder: Path) -> bool:
    """Return whether there is something half-done: a part of a file, of a group of files, or images unrecorded."""
    parts = [path for path in folder.rglob("*") if path.suffix in (".part", ".whole") or path.name == "commit.json"]
    texts = [path.read_bytes() for path in (folder / "records").glob("cases-*.jsonl")]
    is_cut = any(text and not text.endswith(b"\n") for text in texts)
    has_records = (folder / "records").is_dir()
    unrecorded = set(images(folder)) - {line["image"] for line in record_lines(folder)} if has_records else set()
    return bool(parts or unrecorded or is_cut)


def filled(job: Job, folder: Path, disks: int, moments: random.Random) -> Found:
    """Let no file of a job grow beyond a random size, as a full disk does; then lift the limit, and compare."""
    whole, other = folder / "whole", folder / "filled"
    if _run(job, whole):
        return Found(f"{job.name}, disk full", 0, ("the undisturbed run failed",))
    expected = job.results(whole)
    largest = max(path.stat().st_size for path in whole.rglob("*") if path.is_file())
    faults = []
    for number in range(disks):
        say = folder / f"said-{number}"
        code = _run(job, other, limit=moments.randint(256, largest), say=say)
        text = say.read_text(encoding="utf-8", errors="replace")
        if "Traceback" in text:
            faults.append(f"a traceback: {text.strip().splitlines()[-1][:120]}")
        if code == 0:
            faults += compare(expected, job.results(other))
            shutil.rmtree(other)
    if _run(job, other):
        faults.append("the run did not end with space given back")
    else:
        faults += compare(expected, job.results(other))
    return Found(f"{job.name}, disk full", disks, tuple(faults))


def truncated(job: Job, folder: Path, offsets: int, moments: random.Random) -> Found:
    """Cut the records of a benchmark at random offsets, half of them with garbage behind; what is read stays right.

    After the folder has been entered as a run enters it, its records are the whole batches before the cut.
    """
    from heedful.bench import BenchFolder, read_records

    whole = folder / "whole"
    if _run(job, whole):
        return Found("records, truncated", 0, ("the undisturbed run failed",))
    (file,) = (whole / "records").glob("cases-*.jsonl")
    text = file.read_bytes()
    lines = [json.loads(line) for line in text.splitlines()]
    ends = np.cumsum([len(line) + 1 for line in text.splitlines()])
    faults = []
    for _ in range(offsets):
        cut = moments.randint(0, len(text))
        garbage = moments.choice((b"", b"\0\0\0", b"{", moments.randbytes(7).replace(b"\n", b"")))
        file.write_bytes(text[:cut] + garbage)
        kept = sum(int(end) <= cut for end in ends)
        while kept and lines[kept - 1]["batch"][0] < lines[kept - 1]["batch"][1]:
            kept -= 1  # the last batch is whole or absent
        with BenchFolder(whole).locked():
            pass
        found = [line["key"] for line in read_records(whole)]
        if found != [line["key"] for line in lines[:kept]]:
            faults.append(f"cut at byte {cut}: {len(found)} records instead of {kept}")
    file.write_bytes(text)
    return Found("records, truncated", offsets, tuple(faults[:5]))


BAD_FILES: dict[str, tuple[str, ...]] = {
    "prompts": ("generate", "--prompts", "{file}"),
    "suite": ("bench", "run", "--suite", "{file}", "--limit", "1"),
    "inpainting image": ("generate", "a cat", "--image", "{file}", "--mask-image", str(PHOTO)),
    "inpainting mask": ("generate", "a cat", "--image", str(PHOTO), "--mask-image", "{file}"),
    "photo": ("teach", "{file}", "--prompt", "a <one> cat"),
    "mask": ("teach", str(PHOTO), "--prompt", "a <one> bear", "--mask", "{file}"),
    "LoRA": ("generate", "a cat", "--lora", "{file}"),
    "model": ("generate", "a cat", "--model", "{folder}"),
    "taught folder": ("generate", "a <one> cat", "--concepts-from", "{folder}"),
    "records": ("bench", "report", "{records}"),
    "figures": ("world", "card", "--figures", "{file}"),
    "audit": ("world", "agreement", "{file}"),
}
"""What a person may name: the command, with the bad file or a folder that holds it in its place."""

_IN_FOLDER = {"model": "model_index.json", "taught folder": "heedful.json", "records": "records/cases-0.jsonl"}


def bad_contents(moments: random.Random) -> bytes:
    """Return bytes that are no good file: empty, random, cut, of another kind, or JSON of another shape."""
    photo = PHOTO.read_bytes()
    return moments.choice(
        (
            b"",
            moments.randbytes(moments.randint(1, 4096)),
            photo[: moments.randint(1, len(photo))],
            b"\x80\x04\x95" + moments.randbytes(64),
            b"PK\x03\x04" + moments.randbytes(64),
            moments.choice((b"{}", b"[]", b"null", b"1e999", b'{"a": [', b'"\xff"', b"[/red]\n", b"\0" * 100)),
            (10**9).to_bytes(8, "little") + b"{" * 20,
        )
    )


def given_bad_files(folder: Path, files: int, moments: random.Random) -> Found:
    """Give each command bad files; it ends with exit code 1 or 2 and a sentence, and leaves the files as they were."""
    faults = []
    names = list(BAD_FILES)
    for number in range(files):
        name = names[number % len(names)]
        place = folder / f"bad-{number}"
        file = place / _IN_FOLDER.get(name, moments.choice(("bad.png", "bad.json", "bad.safetensors", "bad.txt")))
        file.parent.mkdir(parents=True)
        file.write_bytes(bad_contents(moments))
        before = file.read_bytes()
        words = [word.format(file=file, folder=place, records=place) for word in BAD_FILES[name]]
        job = Job(name, tuple(words), pixels)
        say = folder / f"said-{number}"
        needs_out = not {"report", "card", "agreement"} & set(words)
        code = _run(job, folder / "out" if needs_out else None, say=say)
        text = say.read_text(encoding="utf-8", errors="replace")
        is_fine_prompt = name in ("prompts", "suite") and code == 0
        if "Traceback" in text or (code not in (1, 2) and not is_fine_prompt):
            faults.append(f"{name}, {before[:20]!r}: exit code {code}, {text.strip().splitlines()[-1:]}")
        if not file.is_file() or file.read_bytes() != before:
            faults.append(f"{name}: the file was changed")
    return Found("bad files", files, tuple(faults))


def compare(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return a sentence for what is lost, too many, and changed."""
    lost, more = expected.keys() - found.keys(), found.keys() - expected.keys()
    changed = [name for name in expected.keys() & found.keys() if expected[name] != found[name]]
    return [
        f"{len(names)} {what} ({sorted(names)[0]})"
        for what, names in (("lost", lost), ("too many", more), ("changed", changed))
        if names
    ]


def _run(
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


def torture(
    folder: Path, jobs: Sequence[str], kills: int, full_disks: int, truncations: int, bad_files: int, seed: int
) -> Iterator[Found]:
    """Yield what came of each trial, all below `folder`."""
    for name in jobs:
        if kills:
            yield killed(JOBS[name], folder / name, kills, random.Random(f"{seed} {name} killed"))
        if full_disks:
            yield filled(JOBS[name], folder / f"{name}-disk", full_disks, random.Random(f"{seed} {name} disk"))
    if truncations:
        yield truncated(JOBS["bench"], folder / "truncated", truncations, random.Random(f"{seed} truncated"))
    if bad_files:
        yield given_bad_files(folder / "bad", bad_files, random.Random(f"{seed} bad"))


def main() -> None:
    """Try, print, and exit with 1 if anything broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", default=",".join(JOBS), help="Jobs that are killed and run out of disk.")
    parser.add_argument("--kills", type=int, default=10, help="Kills of each job.")
    parser.add_argument("--full-disks", type=int, default=6, help="Full disks of each job.")
    parser.add_argument("--truncations", type=int, default=500, help="Offsets at which records are cut.")
    parser.add_argument("--bad-files", type=int, default=200, help="Bad files given to commands.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of all that is random.")
    chosen = parser.parse_args()
    broken = False
    with tempfile.TemporaryDirectory() as folder:
        for found in torture(
            Path(folder), chosen.jobs.split(","), chosen.kills, chosen.full_disks, chosen.truncations,
            chosen.bad_files, chosen.seed,
        ):  # fmt: skip
            print(found, flush=True)
            broken |= bool(found.faults)
    sys.exit(broken)


if __name__ == "__main__":
    main()
