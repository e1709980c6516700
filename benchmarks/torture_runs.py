"""What `torture.py` does to a run: kills it, or takes its disk away, again and again."""

import random
import shutil
import signal
import time
from pathlib import Path

from torture_jobs import Found, Job, compare, half_done, run


def killed(job: Job, folder: Path, kills: int, moments: random.Random) -> Found:
    """Kill a job with SIGKILL at random moments until it has been hit `kills` times; then let it end, and compare.

    Half of the kills come within 10 ms after a file appeared, when most can go wrong, the others at any time.
    """
    whole, other = folder / "whole", folder / "killed"
    start = time.perf_counter()
    if run(job, whole):
        return Found(f"{job.name}, killed", 0, ("the undisturbed run failed",))
    seconds = time.perf_counter() - start
    expected = job.results(whole)
    files = sum(path.is_file() for path in whole.rglob("*"))
    hits, torn, ends, faults = 0, 0, 0, []
    while hits < kills:
        count = moments.randint(0, max(1, 2 * files // kills))
        wait = moments.uniform(0, moments.choice((0.01, seconds / max(files, 1))))
        code = run(job, other, stop=(count, wait))
        if code == -signal.SIGKILL:
            hits += 1
            torn += bool(half_done(other))
            continue
        faults += compare(expected, job.results(other)) if code == 0 else [f"it ended with exit code {code}"]
        ends += 1  # through before the kill: again from the start, in a folder that nothing is in
        other = folder / f"killed-{ends}"
    if run(job, other):
        faults.append("the run did not end")
    else:
        faults += compare(expected, job.results(other))
    if left := half_done(other):
        faults.append(f"half-done stayed: {', '.join(left[:3])}")
    return Found(f"{job.name}, killed", kills, tuple(faults), f" ({torn} kills left something half-done)")


def filled(job: Job, folder: Path, disks: int, moments: random.Random) -> Found:
    """Let no file of a job grow beyond a random size, as a full disk does; then lift the limit, and compare."""
    whole, other = folder / "whole", folder / "filled"
    if run(job, whole):
        return Found(f"{job.name}, disk full", 0, ("the undisturbed run failed",))
    expected = job.results(whole)
    largest = max(path.stat().st_size for path in whole.rglob("*") if path.is_file())
    faults = []
    for number in range(disks):
        say = folder / f"said-{number}"
        code = run(job, other, limit=moments.randint(256, largest), say=say)
        text = say.read_text(encoding="utf-8", errors="replace")
        if "Traceback" in text:
            faults.append(f"a traceback: {text.strip().splitlines()[-1][:120]}")
        if code == 0:
            faults += compare(expected, job.results(other))
            shutil.rmtree(other)
    if run(job, other):
        faults.append("the run did not end with space given back")
    else:
        faults += compare(expected, job.results(other))
    return Found(f"{job.name}, disk full", disks, tuple(faults))
