from threading import Event
from typing import Any

from heedful.app.jobs import Job, Stopped, Worker

LONG = 20.0


def _news(job: Job) -> list[dict[str, Any]]:
    return [news for news in job.events(LONG) if news is not None]


def test_jobs_are_done_one_after_the_other_and_say_how_many_are_before_them() -> None:
    worker, go, order = Worker(), Event(), []

    def first(say: Any, check: Any) -> None:
        go.wait(LONG)
        order.append("first")

    one = worker.submit(first, "one")
    two = worker.submit(lambda say, check: order.append("second"), "two")
    three = worker.submit(lambda say, check: say({"kind": "made"}), "three")
    go.set()
    assert _news(one) == [] and {"kind": "waiting", "before": 1} in _news(two)
    said = _news(three)
    assert said[0] == {"kind": "waiting", "before": 2} and said[-1] == {"kind": "made"}
    assert order == ["first", "second"]


def test_a_job_stops_at_its_next_check_and_the_next_one_goes_on() -> None:
    worker, begun, go = Worker(), Event(), Event()

    def work(say: Any, check: Any) -> None:
        begun.set()
        go.wait(LONG)
        try:
            check()
        except Exception:
            raise AssertionError("a stop is no failure that a job may catch") from None

    job = worker.submit(work, "key")
    assert begun.wait(LONG) and worker.stop("key")
    go.set()
    assert _news(job) == [{"kind": "stopped"}]
    assert _news(worker.submit(lambda say, check: say({"kind": "made"}))) == [{"kind": "made"}]
    assert not worker.stop("key")


def test_a_job_that_waits_is_stopped_before_it_begins_and_by_a_new_one_of_its_key() -> None:
    worker, go = Worker(), Event()
    worker.submit(lambda say, check: go.wait(LONG) and None, "first")
    old = worker.submit(lambda say, check: say({"kind": "made"}), "tab")
    new = worker.submit(lambda say, check: say({"kind": "made"}), "tab")
    go.set()
    assert _news(old)[-1] == {"kind": "stopped"} and _news(new)[-1] == {"kind": "made"}


def test_an_error_is_said_in_words_and_ends_its_job_alone() -> None:
    worker = Worker(lambda error: f"said: {error}")

    def work(say: Any, check: Any) -> None:
        raise ValueError("no")

    assert _news(worker.submit(work)) == [{"kind": "failed", "says": "said: no"}]
    assert _news(worker.submit(lambda say, check: None)) == []


def test_a_job_that_has_nothing_to_say_yields_none_meanwhile() -> None:
    worker, go = Worker(), Event()
    job = worker.submit(lambda say, check: go.wait(LONG) and None)
    events = job.events(0.01)
    assert next(events) is None
    go.set()
    assert list(filter(None, events)) == []
    assert issubclass(Stopped, BaseException) and not issubclass(Stopped, Exception)
