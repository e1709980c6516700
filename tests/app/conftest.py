"""The page's answers without a browser: one service, whose model is opened once for all tests."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heedful.app.jobs import Job
from heedful.app.service import Service

QUICK = "steps=3&seeds=0-1"
"""What makes a run short."""


def news_of(job: Job) -> list[dict[str, Any]]:
    """Return all that a job says."""
    return [news for news in job.events(60.0) if news is not None]


def of_kind(kind: str, news: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the news of one kind; fails with what a failed job says."""
    assert not [each for each in news if each["kind"] == "failed" and kind != "failed"], news[-1]
    return [each for each in news if each["kind"] == kind]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """What answers the page, with the embedded model."""
    return Service(out=tmp_path_factory.mktemp("app"))


@pytest.fixture
def run_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Path]]:
    """Runs a command as a shell would, in a folder of its own, which it returns."""
    import shlex

    from heedful.cli.main import app

    monkeypatch.chdir(tmp_path)

    def run(command: str) -> Path:
        app(shlex.split(command)[1:], print_error=False, exit_on_error=False)
        return tmp_path

    yield run
