"""What the benchmark runner itself costs: 100 000 cases whose images cost nothing.

    python benchmarks/runner_overhead.py                 # records only
    python benchmarks/runner_overhead.py --images        # and a PNG file of 64x64 pixels for each

Plans, runs, plans again on what is there, reads everything, and prints a Markdown table. Everything is what
`heedful bench run` does, but for the images: the plan is that of the embedded model, files and records reach the disk.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, TypeVar

import psutil
import typer
from PIL import Image

from heedful.bench import BenchFolder, Progress, describe_run, read_records, run_bench
from heedful.bench.records import shard
from heedful.guidance.methods import ATTEND_AND_EXCITE, NONE
from heedful.images import (
    Batch,
    Entry,
    PromptLine,
    Request,
    Result,
    SamplingOptions,
    encode,
    run_serially,
    tally,
)
from heedful.models import ModelOptions, open_model
from heedful.scores import WorldScore
from heedful.world.vocabulary import ANIMALS, BACKGROUNDS, COLOURS, OBJECTS

R = TypeVar("R")

TRACE = {"guided_steps": 0, "skipped_updates": 0, "restarts": 0, "first_loss": 1.0, "last_loss": 0.5}


def main(
    cases: Annotated[int, typer.Option(help="How many, rounded down to whole seeds.")] = 100_000,
    images: Annotated[bool, typer.Option(help="Write a PNG file for each case, too.")] = False,
    batch_size: Annotated[int, typer.Option(help="Cases recorded together.")] = 8,
    out: Annotated[Path | None, typer.Option(help="A folder on the disk to measure. Without it, /tmp's.")] = None,
) -> None:
    """Plan, run, plan again, read, print."""
    with tempfile.TemporaryDirectory(dir=out) as folder:
        _measure(Path(folder), cases, images, batch_size)


def _measure(folder: Path, cases: int, images: bool, batch_size: int) -> None:
    prompts = [
        f"a {animal} and a {colour} {thing} on the {ground} background"
        for animal, colour, thing, ground in product(ANIMALS, COLOURS, OBJECTS, BACKGROUNDS)
    ]
    lines = tuple(PromptLine(prompt, kind="animal-object") for prompt in prompts[:: len(prompts) // 1000])
    methods = [NONE, ATTEND_AND_EXCITE]
    seeds = range(cases // len(methods) // len(lines))
    request = Request(
        suite="overhead",
        prompts=lines,
        methods=methods,
        seeds=seeds,
        scores=(WorldScore(),),
        same_noise=False,
        seeds_first=True,
        sampling=SamplingOptions(batch_size=batch_size),
    )
    model, output = open_model(ModelOptions(device="cpu")), BenchFolder(folder / "out")
    png = encode(Image.effect_noise((64, 64), 64).convert("RGB"), Entry({})) if images else None
    scores = dict.fromkeys(WorldScore().columns, 0.0)

    def make(batch: Batch) -> list[Result]:
        return [Result(png=png, scores=scores, trace=TRACE, cost=1.0, seconds=0.5) for _ in batch.cases]

    memory: list[tuple[int, int]] = []

    def look(progress: Progress) -> None:
        if progress.images // 1000 > len(memory):
            memory.append((progress.images, _memory()))

    with output.locked():
        plan, planning = _timed(lambda: output.plan(model, request))
        run = describe_run(plan)
        output.write_run(run, lines)
        progress, running = _timed(
            lambda: run_bench(
                output, request.suite, run["run"], lambda: make, plan.batches(), run_serially, on_progress=look
            )
        )
        again, replanning = _timed(lambda: output.plan(model, request))
        tallied, reading = _timed(lambda: tally(read_records(output.folder)))
    assert progress.images == len(plan) == sum(line.done for line in tallied) and again.todo == 0
    size = shard(output.folder).stat().st_size
    rows = {
        "cases": f"{len(plan)}, in batches of {batch_size}",
        "planning, nothing done": str(planning),
        "running": str(running),
        "running, each case": running.each(len(plan)),
        "planning, all done": str(replanning),
        "reading all records for the table": str(reading),
        "records": f"{size / 1e6:.0f} MB, {size / len(plan):.0f} bytes per case",
        "memory": ", ".join(
            f"{now / 1e6:.1f} MB after {count}" for count, now in (memory[0], memory[len(memory) // 2], memory[-1])
        ),
    }
    typer.echo("| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows.items()))


@dataclass(frozen=True)
class Time:
    """What a piece of work took."""

    seconds: float
    processor: float
    """Seconds of all threads: what remains is waiting, for the disk or for a processor that others use."""

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, of the processor {self.processor:.1f} s"

    def each(self, count: int) -> str:
        """Return both for one of `count`, in milliseconds."""
        return f"{1000 * self.seconds / count:.2f} ms, of the processor {1000 * self.processor / count:.2f} ms"


def _timed(work: Callable[[], R]) -> tuple[R, Time]:
    start, used = time.perf_counter(), time.process_time()
    result = work()
    return result, Time(time.perf_counter() - start, time.process_time() - used)


def _memory() -> int:
    """Return the memory of this process now, in bytes."""
    return psutil.Process().memory_info().rss


if __name__ == "__main__":
    typer.run(main)
