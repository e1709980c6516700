"""`kill -9`, for real, at moments that nobody chose, and what else `benchmarks/torture.py` tries."""

import random
from pathlib import Path

import pytest

from benchmarks import torture
from benchmarks.torture import JOBS, Job

SMALL = ("bench", "run", "--suite", "world-two-development", "--steps", "2", "--batch-size", "2", "--scores", "world")
FEW = (*SMALL, "--limit", "2", "--seeds", "0-1", "--methods", "none,attend-and-excite")


def test_what_is_lost_doubled_or_changed_is_named() -> None:
    faults = torture.compare({"a x1": 1, "b x1": 1, "c x1": 1}, {"a x1": 1, "b x2": 1, "c x1": 2})
    assert faults == ["1 lost (b x1)", "1 too many (b x2)", "1 changed (c x1)"]


def test_a_run_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    found = torture.killed(Job("few", FEW, torture.records), tmp_path, 3, random.Random(0))
    assert found.disturbances == 3 and not found.faults
    assert len(torture.record_lines(tmp_path / "whole")) == 8


def test_a_full_disk_ends_a_run_with_a_sentence_and_loses_nothing(tmp_path: Path) -> None:
    found = torture.filled(Job("few", FEW, torture.records), tmp_path, 1, random.Random(0))
    assert found.disturbances == 1 and not found.faults


def test_records_that_are_cut_anywhere_are_read_up_to_the_last_whole_batch(tmp_path: Path) -> None:
    found = torture.truncated(Job("few", FEW, torture.records), tmp_path, 60, random.Random(0))
    assert found.disturbances == 60 and not found.faults


def test_a_bad_file_is_answered_with_a_sentence(tmp_path: Path) -> None:
    found = torture.given_bad_files(tmp_path, len(torture.BAD_FILES), random.Random(0))
    assert not found.faults


@pytest.mark.slow
@pytest.mark.parametrize("name", JOBS)
def test_every_job_survives_kills_and_full_disks(tmp_path: Path, name: str) -> None:
    assert not torture.killed(JOBS[name], tmp_path / "killed", 6, random.Random(1)).faults
    assert not torture.filled(JOBS[name], tmp_path / "filled", 3, random.Random(1)).faults


@pytest.mark.slow
def test_a_hundred_bad_files(tmp_path: Path) -> None:
    assert not torture.given_bad_files(tmp_path, 100, random.Random(1)).faults
