"""The engine of a cluster: one Ray actor per device holds its pipeline, and batches are streamed to it.

This process alone hands out batches and takes results, so no batch is lost or counted twice, whatever
happens to a node: what was with it goes to another one. Nodes that join are used, those that go are missed.
"""

import os
import socket
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from heedful.errors import HeedfulError, require
from heedful.images import Batch, Load, Make, Result

_AHEAD = 2  # batches with an actor: the one that it works on, and the next, so that it never waits
_TRIES = 3  # actors on living nodes that a batch may bring down
_PATIENCE = 20.0  # seconds for a cluster to answer
_ALONE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # if it is 0, Ray listens on loopback, on Linux too; read at its import
_TICK = 1.0  # seconds between looks at the cluster
_WITHOUT = 120.0  # seconds to wait for a device before giving up


class Actor:
    """What lives on a device; it loads with its first batch, so that an error of loading arrives as what it is."""

    def __init__(self, load: Load):
        self._load = load
        self._make: Make | None = None

    def is_here(self) -> bool:
        """Return True, which says that the actor has got its device."""
        return True

    def make(self, batch: Batch) -> list[Result]:
        """Make a batch."""
        if self._make is None:
            self._make = self._load()
        return self._make(batch)


@dataclass(frozen=True)
class Device:
    """One GPU, or the processor of a node without."""

    node: str
    number: int
    cores: int
    gpus: int


@dataclass(eq=False)
class _Worker:
    device: Device
    actor: Any
    arrival: Any
    """Reference that is there when the actor has got its device; None from then on."""
    waiting: dict[Any, Batch] = field(default_factory=dict)
    """Reference of the result to batch; the first is being made."""


@dataclass
class RayEngine:
    """Run batches on a Ray cluster: the one at `address`, or else one of this machine's devices.

    Results cross the network to this process, which writes them: nodes need no common disk, but heedful, and the model
    under the same name. Batches keep their cases, so nodes of the same kind make the same images as one machine.
    """

    address: str | None = None

    def devices(self) -> list[Device]:
        """Return the devices that there are now; raises `MissingExtra` without Ray, and `HeedfulError` without cluster.

        The connection stays until a run ends.
        """
        return _devices(_connect(self.address))

    def __call__(self, load: Load, batches: Iterable[Batch]) -> Iterator[tuple[Batch, list[Result]]]:
        """Yield each batch with its results when it is made.

        Raises `MissingExtra` without Ray, `HeedfulError` if the cluster cannot be reached or has no device left, and
        what loading raises. A batch that brings down three actors on nodes that live on comes back as failed.
        """
        stream = _Stream(_connect(self.address), load, iter(batches))
        try:
            yield from stream.results()
        finally:
            stream.close()


class _Stream:
    """Batches on their way through the actors."""

    def __init__(self, ray: Any, load: Load, batches: Iterator[Batch]):
        self._ray = ray
        self._load = ray.put(load)
        self._batches = batches
        self._next = next(batches, None)
        self._again: deque[Batch] = deque()
        self._falls: dict[int, int] = {}
        self._workers: list[_Worker] = []
        self._looked = float("-inf")
        self._had_devices = time.monotonic()

    def results(self) -> Iterator[tuple[Batch, list[Result]]]:
        """Yield each batch with its results, until there are no more."""
        while self._next is not None or self._again or any(worker.waiting for worker in self._workers):
            self._look()
            self._hand_out()
            references = [reference for worker in self._workers for reference in worker.waiting]
            references += [worker.arrival for worker in self._workers if worker.arrival is not None]
            if not references:
                self._wait_for_devices()
                continue
            ready, _ = self._ray.wait(references, num_returns=1, timeout=_TICK)
            for reference in ready:
                yield from self._take(reference)

    def close(self) -> None:
        """End all actors."""
        for worker in self._workers:
            with suppress(Exception):
                self._ray.kill(worker.actor)
        self._workers = []

    def _take(self, reference: Any) -> Iterator[tuple[Batch, list[Result]]]:
        """Yield what a reference holds, or put the batches of its actor back if that is lost."""
        worker = next((each for each in self._workers if reference in [*each.waiting, each.arrival]), None)
        if worker is None:
            return  # lost together with another batch of its actor
        errors = self._ray.exceptions
        try:
            results = self._ray.get(reference)
        except errors.RayTaskError as error:
            cause = error.cause
            raise (
                cause
                if isinstance(cause, HeedfulError)
                else HeedfulError(f"A worker on the cluster failed: {type(cause).__name__}: {cause}")
            ) from error
        except errors.RayError as error:
            yield from self._lose(worker, str(error))
            return
        if reference == worker.arrival:
            worker.arrival = None
        else:
            yield worker.waiting.pop(reference), results

    def _lose(self, worker: _Worker, reason: str) -> Iterator[tuple[Batch, list[Result]]]:
        """Put the batches of a lost actor back; give one up that has brought down too many."""
        self._workers.remove(worker)
        with suppress(Exception):
            self._ray.kill(worker.actor)
        self._looked = float("-inf")
        if not worker.waiting:
            return
        first, *others = worker.waiting.values()
        self._again.extend(others)
        if worker.device.node in self._living():
            self._falls[first.number] = self._falls.get(first.number, 0) + 1
        if self._falls.get(first.number, 0) < _TRIES:
            self._again.appendleft(first)
        else:
            error = f"The worker died {_TRIES} times: {' '.join(reason.split())}"[:500]
            yield first, [Result(png=None, error=error) for _ in first.cases]

    def _hand_out(self) -> None:
        """Give every actor its next batch, first to those that have none."""
        for depth in range(_AHEAD):
            for worker in self._workers:
                if worker.arrival is None and len(worker.waiting) == depth:
                    batch = self._take_next()
                    if batch is None:
                        return
                    worker.waiting[worker.actor.make.remote(batch)] = batch

    def _take_next(self) -> Batch | None:
        """Return the batch that is to be made next: one that came back, or a new one."""
        if self._again:
            return self._again.popleft()
        batch, self._next = self._next, None if self._next is None else next(self._batches, None)
        return batch

    def _look(self) -> None:
        """Start an actor on every device that has none."""
        if time.monotonic() - self._looked < _TICK:
            return
        self._looked = time.monotonic()
        taken = {worker.device for worker in self._workers}
        devices = _devices(self._ray)
        if devices:
            self._had_devices = self._looked
        for device in devices:
            if device not in taken:
                actor = self._start(device)
                self._workers.append(_Worker(device, actor, actor.is_here.remote()))

    def _start(self, device: Device) -> Any:
        strategies = require("ray.util.scheduling_strategies", extra="ray")
        strategy = strategies.NodeAffinitySchedulingStrategy(device.node, soft=False)
        kind = self._ray.remote(Actor).options(
            num_cpus=device.cores, num_gpus=device.gpus, max_restarts=0, scheduling_strategy=strategy
        )
        return kind.remote(self._load)

    def _living(self) -> set[str]:
        return {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}

    def _wait_for_devices(self) -> None:
        """Wait for a node to join; raises `HeedfulError` if none does."""
        if time.monotonic() - self._had_devices > _WITHOUT:
            raise HeedfulError(
                f"Expected a node with a processor or a GPU, but for {_WITHOUT:.0f} seconds the cluster has had none. "
                "Start nodes with `ray start`; the same command goes on."
            )
        time.sleep(_TICK)


def _connect(address: str | None) -> Any:
    """Return Ray, connected to a cluster, or to one that it starts here; raises `MissingExtra` or `HeedfulError`.

    A cluster of its own listens on this machine alone.
    """
    if address is None:
        os.environ.setdefault(_ALONE, "0")
    ray = require("ray", extra="ray")
    if ray.is_initialized():
        return ray
    options: dict[str, Any] = {"address": "local", "include_dashboard": False}
    try:
        if address is not None:
            options = {"address": address}
            _check_address(address)
        ray.init(log_to_driver=False, logging_level="error", **options)
    except (ConnectionError, OSError, RuntimeError, ValueError) as reason:
        raise HeedfulError(
            f"Expected a Ray cluster at {address or 'this machine'}, but it cannot be had "
            f"({(str(reason) or type(reason).__name__).splitlines()[0]}). "
            "Pass the address that `ray start` has printed on the head node."
        ) from reason
    return ray


def _check_address(address: str) -> None:
    """Raise `OSError` if nothing listens there: Ray itself would ask for a quarter of an hour."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()


def _devices(ray: Any) -> list[Device]:
    """Return every GPU of the cluster; if there is none, every node's processor."""
    nodes = [(node["NodeID"], node["Resources"]) for node in ray.nodes() if node["Alive"]]
    gpus = [
        Device(node, number, cores=1, gpus=1)
        for node, resources in nodes
        for number in range(int(resources.get("GPU", 0)))
    ]
    return gpus or [
        Device(node, 0, cores=int(resources["CPU"]), gpus=0)
        for node, resources in nodes
        if resources.get("CPU", 0) >= 1
    ]
