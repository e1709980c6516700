"""Runs a plan: batches go to an engine, and what comes back is written, the images before their records.

A case whose record is there is done, whatever happened, because of the order in which things reach the disk.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from heedful.bench.records import shard
from heedful.files import append_lines, sync_folders, write_atomic
from heedful.folders import OutputFolder
from heedful.images import Batch, Case, Engine, Load, Result

_WRITERS = 8  # threads; the disk takes as long for eight files at once as for one


@dataclass(frozen=True)
class Progress:
    """What a run has done so far."""

    images: int
    """Cases, those that failed included."""
    failed: int
    error: str | None
    """Why the case failed that failed last."""


def run_bench(
    folder: OutputFolder,
    suite: str,
    run: str,
    load: Load,
    batches: Iterable[Batch],
    engine: Engine,
    *,
    process: int = 0,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Let `engine` make `batches`, and write images and records below `folder`, whose lock the caller holds.

    Records go to the file of `process`, with the names of the `suite` and the `run`. A batch is written when it is
    made: its images, then, when these are on the disk, its records in one piece. Raises `OutputError` if the disk is
    full; what was recorded until then is whole, and the same command goes on.
    """
    progress = Progress(0, 0, None)
    path = shard(folder.folder, process)
    folder.inside(path.relative_to(folder.folder).as_posix())
    with ThreadPoolExecutor(_WRITERS, thread_name_prefix="heedful-writer") as writers:
        for batch, results in engine(load, batches):
            pairs = list(zip(batch.cases, results, strict=True))
            paths = list(writers.map(lambda pair: _write_image(folder, *pair), pairs))
            folders = {above for path in paths if path is not None for above in (path.parent, path.parent.parent)}
            list(writers.map(lambda each: sync_folders([each]), folders))
            append_lines(path, _lines(pairs, suite, run))
            failures = [result.error for result in results if result.error is not None]
            progress = Progress(
                progress.images + len(pairs),
                progress.failed + len(failures),
                failures[-1] if failures else progress.error,
            )
            on_progress(progress)
    return progress


def _write_image(folder: OutputFolder, case: Case, result: Result) -> Path | None:
    """Write one image, if there is one, and return its path when it is on the disk."""
    return None if result.png is None else write_atomic(folder.inside(case.image), result.png, through=folder.parts)


def _lines(pairs: Sequence[tuple[Case, Result]], suite: str, run: str) -> list[str]:
    rows = [result.record(case) for case, result in pairs]
    return [
        json.dumps(
            {"key": row.pop("key"), "suite": suite, **row, "run": run, "batch": [position, len(rows)]},
            ensure_ascii=False,
        )
        for position, row in enumerate(rows, 1)
    ]
