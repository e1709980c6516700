"""`kill -9`, for real, at moments that nobody chose."""

from pathlib import Path

import pytest

from benchmarks.kill_and_resume import kill_and_resume

SMALL = ["bench", "run", "--suite", "world-two-development", "--steps", "2", "--batch-size", "2", "--scores", "world"]


def test_a_run_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    command = [*SMALL, "--limit", "2", "--seeds", "0-1", "--methods", "none,attend-and-excite"]
    found = kill_and_resume(tmp_path, command, kills=3)
    assert found.cases == 8 and len(found.records) == 3


@pytest.mark.slow
def test_twenty_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    found = kill_and_resume(tmp_path, [*SMALL, "--limit", "6", "--seeds", "0-3"], kills=20, seed=1)
    assert len(found.records) == 20 and found.torn > 0
