"""`kill -9`, for real, at moments that nobody chose, and what else `benchmarks/torture.py` tries."""

import random
from pathlib import Path

import pytest
from torture_files import BAD_FILES, given_bad_files, truncated
from torture_jobs import JOBS, Job, compare, half_done, record_lines, records
from torture_runs import filled, killed

SMALL = ("bench", "run", "--suite", "world-two-development", "--steps", "2", "--batch-size", "2", "--scores", "world")
FEW = (*SMALL, "--limit", "2", "--seeds", "0-1", "--methods", "none,a-star")


def test_what_is_lost_doubled_or_changed_is_named() -> None:
    faults = compare({"a x1": 1, "b x1": 1, "c x1": 1}, {"a x1": 1, "b x2": 1, "c x1": 2})
    assert faults == ["1 lost (b x1)", "1 too many (b x2)", "1 changed (c x1)"]


def test_what_is_half_done_is_named(tmp_path: Path) -> None:
    for name in ("records/cases-0.jsonl", ".heedful/commit.json", ".heedful/parts/0.whole", ".1-ab.part", "a/b/0.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}\n" if name.startswith("records") else "")
    (tmp_path / "records" / "cases-0.jsonl").write_text("")
    whole = [".1-ab.part", ".heedful/commit.json", ".heedful/parts/0.whole", "a/b/0.png"]
    assert half_done(tmp_path) == whole
    (tmp_path / "records" / "cases-0.jsonl").write_text('{"image": "a/b/0')
    for name in whole[:3]:
        (tmp_path / name).unlink()
    (tmp_path / "a/b/0.png").unlink()
    assert half_done(tmp_path) == ["records/cases-0.jsonl"]


def test_a_run_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    found = killed(Job("few", FEW, records), tmp_path, 2, random.Random(0))
    assert found.disturbances == 2 and not found.faults
    assert len(record_lines(tmp_path / "whole")) == 8


def test_a_full_disk_ends_a_run_with_a_sentence_and_loses_nothing(tmp_path: Path) -> None:
    found = filled(Job("few", FEW, records), tmp_path, 1, random.Random(0))
    assert found.disturbances == 1 and not found.faults


def test_records_that_are_cut_anywhere_are_read_up_to_the_last_whole_batch(tmp_path: Path) -> None:
    found = truncated(Job("few", FEW, records), tmp_path, 60, random.Random(0))
    assert found.disturbances == 60 and not found.faults


def test_a_bad_file_is_answered_with_a_sentence(tmp_path: Path) -> None:
    found = given_bad_files(tmp_path, len(BAD_FILES), random.Random(0))
    assert not found.faults


@pytest.mark.slow
@pytest.mark.parametrize("name", JOBS)
def test_every_job_survives_kills_and_full_disks(tmp_path: Path, name: str) -> None:
    assert not killed(JOBS[name], tmp_path / "killed", 6, random.Random(1)).faults
    assert not filled(JOBS[name], tmp_path / "filled", 3, random.Random(1)).faults


@pytest.mark.slow
def test_a_hundred_bad_files(tmp_path: Path) -> None:
    assert not given_bad_files(tmp_path, 100, random.Random(1)).faults
