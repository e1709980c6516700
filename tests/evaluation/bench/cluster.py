"""A program: a benchmark on a Ray cluster of several nodes on this machine, one of which is killed in the middle.

    python tests/evaluation/bench/cluster.py OUT

A process of its own, because Ray and its warnings do not mix with those of the tests. Prints JSON: how many nodes there
were, how many results had come when one was killed, and how many came.
"""

import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0", "OMP_NUM_THREADS": "1"}

import ray
import torch
from ray.cluster_utils import Cluster

from heedful.evaluation.bench import BenchFolder, PainterLoader, make_bench_plan, run_bench
from heedful.evaluation.bench.cases import Batch, Load, Result
from heedful.evaluation.bench.ray_engine import RayEngine
from heedful.evaluation.pipelines import load_model
from tests.evaluation.bench.wishes import cluster_wish

NODES = 2


def main(out: Path) -> None:
    """Run, kill, print."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(NODES)]
    engine = RayEngine(cluster.address)
    seen = {"devices": len(engine.devices()), "results": 0, "killed_after": 0}

    def watched(load: Load, batches: Iterable[Batch]) -> Iterator[tuple[Batch, list[Result]]]:
        for result in engine(load, batches):
            seen["results"] += 1
            if seen["results"] == NODES + 1:
                mine = ray._private.worker.global_worker.node  # losing that one, this process would be lost too
                victim = next(node for node in nodes if node.raylet_socket_name != mine.raylet_socket_name)
                cluster.remove_node(victim, allow_graceful=False)
                seen["killed_after"] = seen["results"]
            yield result

    model, folder = load_model(device="cpu"), BenchFolder(out)
    with folder.locked():
        plan = make_bench_plan(model, folder, cluster_wish())
        folder.write_run(plan.run, plan.suite)
        loader = PainterLoader(
            model=None,
            device="cpu",
            dtype=model.dtype,
            scheduler=None,
            weights=model.weights,
            sampling=plan.sampling,
            scores=tuple(plan.scores),
        )
        run_bench(out, plan.suite.name, plan.run["run"], loader, plan.batches(), watched)
    seen["devices_left"] = len(engine.devices())
    sys.stdout.write(json.dumps(seen) + "\n")
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
