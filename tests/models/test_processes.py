"""`accelerate launch -m heedful bench run`, and torchrun: processes that share one folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from heedful.bench.records import read_cases, shards
from heedful.models import Processes, find_processes
from tests.bench.test_run import images, without_times
from tests.cli.conftest import Call, call, model_folder  # noqa: F401  fixtures


def test_a_process_that_nobody_launched_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    alone = find_processes()
    assert alone == Processes(0, 1) and alone.is_first and list(alone.share(iter("abc"))) == ["a", "b", "c"]  # type: ignore[arg-type]


def test_processes_share_batches_out_among_them() -> None:
    shares = [list(Processes(rank, 3).share(iter(range(8)))) for rank in range(3)]  # type: ignore[arg-type]
    assert shares == [[0, 3, 6], [1, 4, 7], [2, 5]]
    assert Processes(1, 3).share_of(8) == 3


# `--cpu` would start one process only; without it, accelerate asks for no GPU, and the processes find none
ACCELERATE = ("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1")
TORCHRUN = ("torch.distributed.run", "--nproc-per-node", "2")


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [ACCELERATE, TORCHRUN], ids=["accelerate", "torchrun"])
def test_two_launched_processes_make_what_one_makes(
    call: Call,  # noqa: F811
    model_folder: Path,  # noqa: F811
    tmp_path: Path,
    launcher: tuple[str, ...],
) -> None:
    options = ["--suite", "world-two-development", "--limit", "4", "--seeds", "0-1", "--steps", "2"]
    options += ["--batch-size", "2", "--scores", "world", "--model", str(model_folder)]
    launch = [sys.executable, "-m", *launcher, "-m", "heedful"]
    shared, alone = tmp_path / "shared", tmp_path / "alone"
    for _ in range(2):  # the second time, there is nothing left to do
        done = subprocess.run(
            [*launch, "bench", "run", *options, "--out", str(shared)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout.count("Records: ") == 1 and "16 of 16 images are done already." in done.stderr
    assert call("bench", "run", *options, "--out", alone).code == 0
    assert [path.name for path in shards(shared)] == ["cases-0.jsonl", "cases-1.jsonl"]
    rows = list(read_cases(shared))
    assert len(rows) == 16 and {row["run"] for row in rows} == {path.stem for path in shared.glob("runs/*.json")}
    assert images(shared) == images(alone) and without_times(shared) == without_times(alone)
