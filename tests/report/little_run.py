"""A real little benchmark on the embedded model, so that reports have records.

Import as `from tests.report.little_run import little_run`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from heedful.bench import BenchFolder, describe_run, run_bench
from heedful.guidance import METHODS
from heedful.images import Painter, PromptLine, Request, SamplingOptions, run_serially
from heedful.models import ModelOptions, open_model
from heedful.scores import WorldScore
from heedful.world.vocabulary import prompt_kind


def little_run(
    folder: Path, prompts: Sequence[str], seeds: Sequence[int], methods: Sequence[str], *, steps: int = 4
) -> Path:
    """Make and judge prompts x seeds by every method, as `heedful bench run` does; seeds move by 1000 a prompt."""
    model, out = open_model(ModelOptions(device="cpu")), BenchFolder(folder)
    request = Request(
        suite="world-two",
        prompts=tuple(PromptLine(text, prompt_kind(text)) for text in prompts),
        methods=[METHODS[name] for name in methods],
        seeds=seeds,
        scores=(WorldScore(),),
        same_noise=False,
        seeds_first=True,
        sampling=SamplingOptions(steps=steps),
    )
    with out.locked():
        plan = out.plan(model, request)
        run = describe_run(plan)
        out.write_run(run, request.prompts)
        painter = Painter(model, plan.sampling, request.scores)
        run_bench(out, request.suite, run["run"], lambda: painter, plan.batches(), run_serially)
    return folder


def write_records(folder: Path, lines: Sequence[dict[str, Any]], name: str = "cases-0.jsonl") -> Path:
    """Write records, one a line."""
    path = folder / "records" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def write_run(folder: Path, run: dict[str, Any]) -> Path:
    """Write what a run says of itself."""
    path = folder / "runs" / f"{run['run']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run), encoding="utf-8")
    return path
