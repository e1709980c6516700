"""Does a benchmark lose anything when it is killed? `kill -9` at random moments of a real run, until it is through.

    python benchmarks/kill_and_resume.py --kills 20

Runs `heedful bench run` on the embedded model once without disturbance and once killed again and again, then compares
images and records bit for bit. What a record says of the time (`seconds`) and of the run (`run`) is left out. Exits
with 1 at the first difference.
"""

import contextlib
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["heedful.cli.main", "heedful.bench", "heedful.scores"])


@dataclass(frozen=True)
class Killed:
    """What came of a run that was killed again and again."""

    cases: int
    seconds: float
    """That the undisturbed run took."""
    records: tuple[int, ...]
    """How many records were there after each kill."""
    torn: int
    """Kills after which there was something half-done: an image without its record, a part of a file, line or batch."""


def kill_and_resume(folder: Path, command: Sequence[str], kills: int, seed: int = 0) -> Killed:
    """Run `command` (without --out) whole and killed, below `folder`; raises `AssertionError` at a difference.

    A run is killed when it has written a random number of images, half of the time within 10 ms, when most can go
    wrong, else within the time that an image takes.
    """
    whole, killed = folder / "whole", folder / "killed"
    start = time.perf_counter()
    assert _run([*command, "--out", str(whole)]) == 0, "the undisturbed run failed"
    seconds = time.perf_counter() - start
    cases = len(_lines(whole))
    moments = random.Random(seed)
    there, torn = [], 0
    while len(there) < kills:
        wait = moments.uniform(0, moments.choice((0.01, seconds / cases)))
        code = _run([*command, "--out", str(killed)], killed, moments.randint(0, 2 * cases // kills + 1), wait)
        if code == 0:  # through before the kill: again from the start, until all kills have hit
            compare(whole, killed)
            killed = folder / f"killed-{len(there)}"
            continue
        there.append(len(_lines(killed)))
        torn += _is_torn(killed)
    assert _run([*command, "--out", str(killed)]) == 0, "the run did not end"
    compare(whole, killed)
    return Killed(cases, seconds, tuple(there), torn)


def compare(whole: Path, other: Path) -> None:
    """Raise `AssertionError` unless two folders hold the same images and records, and each record once."""
    counts = Counter(line["key"] for line in _lines(other))
    assert set(counts.values()) == {1}, f"recorded more than once: {counts.most_common(3)}"
    assert _records(other) == _records(whole), "the records differ"
    assert images(other) == images(whole), "the images differ"


def images(folder: Path) -> dict[str, bytes]:
    """Return every image of a folder by its path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("*/*/*.png")}


def _records(folder: Path) -> dict[str, dict[str, Any]]:
    times = ("seconds", "run")
    return {row["key"]: {name: row[name] for name in row if name not in times} for row in _lines(folder)}


def _lines(folder: Path) -> list[dict[str, Any]]:
    texts = [path.read_bytes() for path in (folder / "records").glob("cases-*.jsonl")]
    return [json.loads(line) for text in texts for line in text.split(b"\n")[:-1]]


def _is_torn(folder: Path) -> bool:
    """Return whether a kill has left images without records, or half a line or batch."""
    recorded = {row["image"] for row in _lines(folder)}
    texts = [path.read_bytes() for path in (folder / "records").glob("cases-*.jsonl")]
    is_cut = any(text and (not text.endswith(b"\n") or _ends_inside_a_batch(text)) for text in texts)
    return is_cut or bool(set(images(folder)) - recorded) or any(folder.rglob("*.part"))


def _ends_inside_a_batch(text: bytes) -> bool:
    place, size = json.loads(text.split(b"\n")[-2])["batch"]
    return place < size


def _run(command: Sequence[str], folder: Path | None = None, count: int = 0, wait: float = 0) -> int | None:
    """Run `heedful COMMAND` in a process of its own, and return its exit code.

    With `folder`, it is killed `wait` seconds after it has written `count` images there.
    """
    start = time.time_ns()
    process = _FORKS.Process(target=_heedful, args=(list(command),))
    process.start()
    if folder is not None:
        while process.is_alive() and _written(folder, start) < count:
            time.sleep(0.002)
        process.join(wait)
        process.kill()
    process.join()
    return process.exitcode


def _written(folder: Path, start: int) -> int:
    return sum(path.stat().st_mtime_ns >= start for path in folder.glob("*/*/*.png"))


def _heedful(command: list[str]) -> None:
    from heedful.cli.main import main

    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
        main(command)


def main(
    kills: Annotated[int, typer.Option(help="How many.")] = 20,
    limit: Annotated[int, typer.Option(help="Prompts of the development half.")] = 6,
    methods: Annotated[str, typer.Option(help="Comma-separated.")] = "none,a-star,heedful",
    seeds: Annotated[str, typer.Option(help="Of each prompt.")] = "0-3",
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the moments.")] = 0,
) -> None:
    """Kill, resume, compare, print."""
    command = ["bench", "run", "--suite", "world-two-development", "--limit", str(limit), "--methods", methods]
    command += ["--seeds", seeds, "--steps", str(steps)]
    with tempfile.TemporaryDirectory() as folder:
        found = kill_and_resume(Path(folder), command, kills, seed)
    typer.echo(
        f"{found.cases} images, {found.seconds:.1f} s undisturbed; {len(found.records)} kills, {found.torn} of which "
        f"left something half-done; records after each: {', '.join(map(str, found.records))}. "
        "Images and records are those of the undisturbed run, none twice."
    )


if __name__ == "__main__":
    typer.run(main)
