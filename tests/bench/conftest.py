"""A tiny real pipeline, a suite of four prompts, and a run of a benchmark in two lines."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heedful.bench import BenchFolder, Progress, Suite, describe_run, run_bench
from heedful.guidance.methods import A_STAR, NONE
from heedful.images import (
    Batch,
    Engine,
    Load,
    Painter,
    Plan,
    PromptLine,
    Request,
    Result,
    SamplingOptions,
    run_serially,
)
from heedful.models import Model, ModelOptions, open_model
from heedful.scores import WorldScore
from tests.pipelines import tiny_pipeline

SUITE = Suite(
    "four",
    (
        PromptLine("a cat and a blue clock", "animal-object"),
        PromptLine("a dog and a [bear]", "animal-animal"),
        PromptLine("a red car", "single"),
        PromptLine("a blue bowl and a red bowl", "object-object", ("blue bowl", "red bowl")),
    ),
)
Run = Callable[..., tuple[Plan, Progress]]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Random weights: images of noise, in milliseconds."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny_pipeline().save_pretrained(folder)
    return open_model(ModelOptions(model=str(folder), device="cpu"))


def make_request(suite: Suite = SUITE, **changes: Any) -> Request:
    """Two methods, two seeds and the world's detector on the suite of four: 16 cases in batches of three."""
    sampling = {name: changes.pop(name, usual) for name, usual in (("steps", 2), ("batch_size", 3))}
    usual = {
        "suite": suite.name,
        "prompts": suite.lines,
        "methods": [NONE, A_STAR],
        "seeds": [0, 1],
        "scores": (WorldScore(),),
        "sampling": SamplingOptions(**sampling),
        "same_noise": False,
        "seeds_first": True,
    }
    return Request(**(usual | changes))


@pytest.fixture(scope="session")
def run(model: Model) -> Run:
    """`run(out, engine=..., **changes of the request)` runs what is left to do in `out`."""

    def run_it(out: Path, engine: Engine = run_serially, **changes: Any) -> tuple[Plan, Progress]:
        folder = BenchFolder(out)
        with folder.locked():
            plan = folder.plan(model, make_request(**changes))
            said = describe_run(plan)
            folder.write_run(said, plan.request.prompts)
            painter = Painter(model, plan.sampling, plan.request.scores)
            progress = run_bench(folder, plan.request.suite, said["run"], lambda: painter, plan.batches(), engine)
        return plan, progress

    return run_it


@pytest.fixture(scope="session")
def whole(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run, for tests that change nothing in it."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder)
    return folder


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
