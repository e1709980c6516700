"""Tries to break heedful, by a seed: kills, full disks, truncated records and bad files, with a figure for each.

    python benchmarks/torture.py --kills 10 --full-disks 6 --truncations 500 --bad-files 200 --seed 0

Every job runs once without disturbance and once disturbed again and again, with the same command each time, until it
is through; then its results are compared bit for bit. Prints a line per trial and exits with 1 if anything was lost,
doubled, changed or answered with a traceback. docs/reliability.md quotes the figures.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from torture_files import given_bad_files, truncated
from torture_jobs import JOBS, Found
from torture_runs import filled, killed


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
