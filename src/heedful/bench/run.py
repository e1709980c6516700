"""Runs a plan: batches go to an engine, and what comes back is written, the images before their records.

Knows in which order things must reach the disk, so that a case whose record is there is done, whatever happened. Knows
nothing of pipelines: whatever makes images can be run.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heedful.bench.cases import Batch, Case, Engine, Load, Result
from heedful.bench.folder import PARTS
from heedful.bench.records import shard
from heedful.files import append_lines, sync_folders, write_atomic

_WRITERS = 8  # threads; the disk takes as long for eight files at once as for one


@dataclass(frozen=True)
class Progress:
    """What a run has done so far."""

    images: int
    """Cases, those that failed included."""
    failed: int
    error: str | None
    """Of the case that failed last."""


def run_bench(
    folder: Path,
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
    path = shard(folder, process)
    with ThreadPoolExecutor(_WRITERS, thread_name_prefix="heedful-writer") as writers:
        for batch, results in engine(load, batches):
            pairs = list(zip(batch.cases, results, strict=True))
            paths = list(writers.map(lambda pair: _write_image(folder, *pair), pairs))
            folders = {above for path in paths if path is not None for above in (path.parent, path.parent.parent)}
            list(writers.map(lambda each: sync_folders([each]), folders))
            append_lines(path, _lines(batch, pairs, suite, run))
            failures = [result.error for result in results if result.error is not None]
            progress = Progress(
                progress.images + len(pairs),
                progress.failed + len(failures),
                failures[-1] if failures else progress.error,
            )
            on_progress(progress)
    return progress


def _write_image(folder: Path, case: Case, result: Result) -> Path | None:
    """Write one image, if there is one, and return its path when it is on the disk."""
    return None if result.png is None else write_atomic(folder / case.image, result.png, through=folder / PARTS)


def _lines(batch: Batch, pairs: Sequence[tuple[Case, Result]], suite: str, run: str) -> list[str]:
    rows = [_record(batch, case, result) for case, result in pairs]
    return [
        json.dumps(
            {"key": row.pop("key"), "suite": suite, **row, "run": run, "batch": [place, len(rows)]}, ensure_ascii=False
        )
        for place, row in enumerate(rows, 1)
    ]


def _record(batch: Batch, case: Case, result: Result) -> dict[str, Any]:
    return {
        "key": case.key,
        "prompt": case.prompt.text,
        "kind": case.kind,
        "concepts": [concept.name for concept in case.prompt.concepts],
        "method": batch.method.name,
        "seed": case.seed,
        "image": case.image if result.png is not None else None,
        "status": "done" if result.error is None else "failed",
        "error": result.error,
        "scores": dict(result.scores),
        "trace": dict(result.trace),
        "cost": result.cost,
        "seconds": round(result.seconds, 4),
    }
