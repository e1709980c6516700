"""One worker for everything that uses a model: jobs wait in a row, say how far they are, and can be stopped.

Pipelines hold what a run has changed until it ends, so two runs at once would disturb each other. Nothing here knows
what a job does.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from queue import Empty, SimpleQueue
from threading import Condition, Event, Thread
from typing import Any

News = dict[str, Any]
"""What a job says on its way, as plain JSON values; `kind` says what it is."""
Work = Callable[[Callable[[News], None], Callable[[], None]], None]
"""Does a job: `work(say, check)`. It calls `say` with news, and often `check`, which raises `Stopped` once the job is
to end."""


class Stopped(BaseException):
    """The job was stopped. No `Exception`, so that nothing takes it for a failure of its own and goes on."""


@dataclass(eq=False)
class Job:
    """Something that a person asked for."""

    work: Work
    key: str
    """By which it can be stopped."""
    news: SimpleQueue[News | None] = field(default_factory=SimpleQueue)
    """What it has said; None at its end."""
    is_stopped: Event = field(default_factory=Event)

    def stop(self) -> None:
        """Ask the job to end; it does so at its next step, or never begins."""
        self.is_stopped.set()

    def check(self) -> None:
        """Raise `Stopped` if the job is to end."""
        if self.is_stopped.is_set():
            raise Stopped

    def events(self, wait: float = 0.25) -> Iterator[News | None]:
        """Yield its news until it ends, and None whenever there was none for `wait` seconds."""
        while True:
            try:
                news = self.news.get(timeout=wait)
            except Empty:
                yield None
                continue
            if news is None:
                return
            yield news


class Worker:
    """Does jobs one after the other in a thread of its own, which ends with the process.

    `describe` says in words what an error of a job was.
    """

    def __init__(self, describe: Callable[[BaseException], str] = str):
        self._describe = describe
        self._jobs: deque[Job] = deque()
        self._changed = Condition()
        self._now: Job | None = None
        self._numbers = count(1)
        Thread(target=self._run, name="heedful-app", daemon=True).start()

    def submit(self, work: Work, key: str = "") -> Job:
        """Put a job at the end of the row; one of the same key that still waits or runs is stopped."""
        job = Job(work, key or f"job {next(self._numbers)}")
        with self._changed:
            self._stop(job.key)
            self._jobs.append(job)
            self._changed.notify_all()
            self._say_places()
        return job

    def stop(self, key: str) -> bool:
        """Stop the job of a key; return whether there was one."""
        with self._changed:
            return self._stop(key)

    def _stop(self, key: str) -> bool:
        found = [job for job in (self._now, *self._jobs) if job is not None and job.key == key]
        for job in found:
            job.stop()
        return bool(found)

    def _say_places(self) -> None:
        """Tell each waiting job how many are before it."""
        running = 0 if self._now is None else 1
        for place, job in enumerate(self._jobs, running):
            if place:
                job.news.put({"kind": "waiting", "before": place})

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._jobs:
                    self._changed.wait()
                job = self._now = self._jobs.popleft()
                self._say_places()
            try:
                job.check()
                job.work(job.news.put, job.check)
            except Stopped:
                job.news.put({"kind": "stopped"})
            except BaseException as error:
                job.news.put({"kind": "failed", "says": self._describe(error)})
            finally:
                with self._changed:
                    self._now = None
                job.news.put(None)
                del job
