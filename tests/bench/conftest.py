"""A tiny real pipeline, a suite of four prompts, and a run of a benchmark in two lines."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heedful.bench import BenchFolder, BenchPlan, BenchWish, Painter, make_bench_plan, run_bench
from heedful.bench.cases import Batch, Engine, Load, Result
from heedful.bench.run import Progress
from heedful.bench.serial import run_serially
from heedful.bench.suite_files import Line
from heedful.bench.suites import Suite
from heedful.guidance.methods import ATTEND_AND_EXCITE, NONE
from heedful.models import Model, ModelOptions, open_model
from heedful.scores import WorldScore
from tests.pipelines import tiny_pipeline

SUITE = Suite(
    "four",
    (
        Line("a cat and a blue clock", "animal-object"),
        Line("a dog and a [bear]", "animal-animal"),
        Line("a red car", "single"),
        Line("a blue bowl and a red bowl", "object-object", ("blue bowl", "red bowl")),
    ),
)
Run = Callable[..., tuple[BenchPlan, Progress]]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Random weights: images of noise, in milliseconds."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny_pipeline().save_pretrained(folder)
    return open_model(ModelOptions(model=str(folder), device="cpu"))


def make_wish(**changes: Any) -> BenchWish:
    """Two methods, two seeds and the world's detector on the suite of four: 16 cases in batches of three."""
    usual = {
        "suite": SUITE,
        "methods": [NONE, ATTEND_AND_EXCITE],
        "seeds": [0, 1],
        "scores": (WorldScore(),),
        "steps": 2,
        "batch_size": 3,
    }
    return BenchWish(**(usual | changes))


@pytest.fixture
def run(model: Model) -> Run:
    """`run(out, engine=..., **changes of the wish)` runs what is left to do in `out`."""

    def run_it(out: Path, engine: Engine = run_serially, **changes: Any) -> tuple[BenchPlan, Progress]:
        folder = BenchFolder(out)
        with folder.locked():
            plan = make_bench_plan(model, folder, make_wish(**changes))
            folder.write_run(plan.run, plan.suite)
            painter = Painter(model, plan.sampling, plan.scores)
            progress = run_bench(out, plan.suite.name, plan.run["run"], lambda: painter, plan.batches(), engine)
        return plan, progress

    return run_it


def stopped_after(batches: int) -> Engine:
    """An engine that is interrupted after some batches."""

    def engine(load: Load, wanted: Iterable[Batch]) -> Iterator[tuple[Batch, list[Result]]]:
        for number, result in enumerate(run_serially(load, wanted)):
            if number == batches:
                raise KeyboardInterrupt
            yield result

    return engine


def refused(load: Load, batches: Iterable[Batch]) -> Iterator[tuple[Batch, list[Result]]]:
    """An engine that must get nothing to do."""
    left = list(batches)
    assert not left
    yield from ()
