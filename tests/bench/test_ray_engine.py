"""A benchmark on a cluster, and what becomes of it when a node is lost."""

import importlib.util
import json
import os
import subprocess
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from heedful.bench import BenchFolder, RayEngine, read_records, run_bench
from heedful.bench.records import read_cases
from heedful.errors import HeedfulError, MissingExtra
from heedful.images import Painter, run_serially
from heedful.models import ModelOptions, open_model
from tests.bench.requests import cluster_request
from tests.bench.test_run import images, without_times

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
HAS_RAY = importlib.util.find_spec("ray") is not None


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="ray is not installed")
def test_a_cluster_makes_what_one_machine_makes_though_a_node_is_killed(tmp_path: Path) -> None:
    """The same images and records bit for bit, nothing lost, nothing twice; later a node joins, and a batch kills."""
    program = Path(__file__).with_name("cluster.py")
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path / "cluster")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["devices"] == 2 and seen["devices_left"] == 1
    assert 0 < seen["killed_after"] < seen["results"] == 18
    assert seen["nodes_after_joining"] == 2
    errors = seen["errors"]
    assert errors.pop(str(seen["deadly"])).startswith("The worker died 3 times") and set(errors.values()) == {None}
    assert len(errors) == 3
    model, folder = open_model(ModelOptions(device="cpu")), BenchFolder(tmp_path / "serial")
    with folder.locked():
        plan = folder.plan(model, cluster_request())
        painter = Painter(model, plan.sampling, plan.request.scores)
        run_bench(folder, plan.request.suite, "serial", lambda: painter, plan.batches(), run_serially)
    counts = Counter(row["key"] for row in read_cases(tmp_path / "cluster"))
    assert len(counts) == 36 and set(counts.values()) == {1}
    assert images(tmp_path / "cluster") == images(tmp_path / "serial")
    assert without_times(tmp_path / "cluster") == without_times(tmp_path / "serial")
    assert {row["status"] for row in read_records(tmp_path / "cluster")} == {"done"}


@pytest.mark.skipif(HAS_RAY, reason="ray is installed")
def test_without_ray_the_extra_is_named() -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'heedful\[ray\]'"):
        RayEngine().devices()


@pytest.mark.skipif(not HAS_RAY, reason="ray is not installed")
def test_an_address_at_which_nothing_listens_is_an_error_at_once() -> None:
    start = time.monotonic()
    with pytest.raises(HeedfulError, match=r"Expected a Ray cluster at 127\.0\.0\.1:1, but it cannot be had"):
        RayEngine("127.0.0.1:1").devices()
    assert time.monotonic() - start < 60


LISTENING = """
from pathlib import Path
from heedful.bench import RayEngine

# 127.0.0.1, ::1 and ::ffff:127.0.0.1, as Linux writes them
LOOPBACK = ("0100007F", "0" * 24 + "01000000", "0" * 16 + "FFFF00000100007F")

def open_to_others():
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path("/proc/net", name).read_text().splitlines()[1:]:
            address, state, inode = (line.split()[column] for column in (1, 3, 9))
            if state == "0A" and address.partition(":")[0] not in LOOPBACK:
                found.add(inode)
    return found

before = open_to_others()
assert RayEngine().devices()
print(len(open_to_others() - before))
"""


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY or not Path("/proc/net/tcp").exists(), reason="ray and Linux are needed")
def test_a_cluster_of_its_own_listens_on_this_machine_alone() -> None:
    elsewhere = os.environ | {"RAY_ADDRESS": "127.0.0.1:1"}  # nothing listens there, and it is not asked
    done = subprocess.run([sys.executable, "-c", LISTENING], capture_output=True, text=True, check=False, env=elsewhere)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "0"


def test_ray_is_of_a_version_that_asks_for_a_token() -> None:
    """Ray 2.60 asks whoever connects for one, by itself; of earlier versions that was not seen."""
    extras = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (asked,) = extras["ray"]
    least = asked.removeprefix("ray>=").split(".")
    assert [int(number) for number in least] >= [2, 60]
