"""A program: a benchmark on a Ray cluster of several nodes on this machine, one of which is killed in the middle.

    python tests/bench/cluster.py OUT

Then a node joins, and a batch brings down its workers. A process of its own, because Ray and its warnings do not mix
with those of the tests. Prints JSON.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0", "OMP_NUM_THREADS": "1"}

import ray
import torch
from ray.cluster_utils import Cluster

from heedful.bench import BenchFolder, RayEngine, describe_run, run_bench
from heedful.images import Batch, Load, Make, PainterLoader, Result
from heedful.models import ModelOptions, open_model
from tests.bench.requests import cluster_request

NODES = 2


def join(cluster: Cluster, engine: RayEngine, batches: list[Batch]) -> dict[str, int]:
    """Add a node in the middle, and count the nodes that made something."""

    def load() -> Make:
        def make(batch: Batch) -> list[Result]:
            time.sleep(0.5)
            return [Result(png=None, trace={"node": ray.get_runtime_context().get_node_id()}) for _ in batch.cases]

        return make

    results = engine(load, batches * 10)
    nodes = {next(results)[1][0].trace["node"]}
    cluster.add_node(num_cpus=1)
    made = 1
    for _, (first, *_) in results:
        nodes.add(first.trace["node"])
        made += 1
        if len(nodes) == 2:
            break
    results.close()
    return {"nodes_after_joining": len(nodes), "made_until_then": made}


def fall(engine: RayEngine, batches: list[Batch]) -> dict[str, Any]:
    """Let one batch bring down every worker that tries it, and return which came back as failed, and why."""
    deadly = batches[0].number

    def load() -> Make:
        def make(batch: Batch) -> list[Result]:
            if batch.number == deadly:
                os._exit(1)
            return [Result(png=None) for _ in batch.cases]

        return make

    found = {batch.number: results[0].error for batch, results in engine(load, batches)}
    return {"deadly": deadly, "errors": found}


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

    model, folder = open_model(ModelOptions(device="cpu")), BenchFolder(out)
    with folder.locked():
        plan = folder.plan(model, cluster_request())
        said = describe_run(plan)
        folder.write_run(said, plan.request.prompts)
        loader = PainterLoader(
            options=model.options,
            weights=model.weights,
            sampling=plan.sampling,
            scores=tuple(plan.request.scores),
        )
        run_bench(folder, plan.request.suite, said["run"], loader, plan.batches(), watched)
    seen["devices_left"] = len(engine.devices())
    seen |= join(cluster, engine, list(plan.batches())) | fall(engine, list(plan.batches())[:4])
    sys.stdout.write(json.dumps(seen) + "\n")
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
