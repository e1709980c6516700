"""Records as they are read: merged, whole, inside their folder, and put side by side."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.bench.results import compare_scores, holm, read_results, summarize_score
from heedful.errors import SettingsError
from heedful.scores.statistics import SHARE, compare, estimate


def record(prompt: str, seed: int, method: str = "none", **changes: Any) -> dict[str, Any]:
    return {
        "key": f"{method}/{prompt}/{seed}",
        "suite": "s",
        "prompt": prompt,
        "kind": "k",
        "concepts": ["cat"],
        "method": method,
        "seed": seed,
        "image": f"{method}/{prompt}/{seed}.png",
        "status": "done",
        "error": None,
        "scores": {"world.success": 1.0},
        "cost": 1.0,
        "seconds": 0.5,
    } | changes


def write(folder: Path, *lines: dict[str, Any], name: str = "cases-0.jsonl", end: str = "") -> None:
    (folder / "records").mkdir(exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines) + end
    (folder / "records" / name).write_text(text, encoding="utf-8")


def test_a_case_that_failed_can_be_done_and_later_scores_join_it(tmp_path: Path) -> None:
    failed = record("a", 0, status="failed", error="no memory", scores={}, image=None)
    write(tmp_path, failed, record("a", 1), record("a", 0))
    write(
        tmp_path,
        {"key": "none/a/0", "scores": {"clip.text": 0.25, "world.success": 0.0}},
        {"key": "none/a/1", "scores": {"clip.text": None}},
        name="scores-0.jsonl",
    )
    results = read_results(tmp_path)
    assert len(results.cases) == 2 and results.failed == ()
    assert results.values("none", "clip.text") == {("a", 0): 0.25}
    assert results.values("none", "world.success") == {("a", 0): 0.0, ("a", 1): 1.0}
    assert results.scores == ("world.success", "clip.text")


def test_failed_cases_have_no_values(tmp_path: Path) -> None:
    write(tmp_path, record("a", 0), record("a", 1, status="failed", error="no memory"))
    results = read_results(tmp_path)
    assert [case.error for case in results.failed] == ["no memory"]
    assert results.values("none", "world.success") == {("a", 0): 1.0}


def test_a_line_or_batch_that_a_kill_has_cut_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, record("a", 0), record("a", 1, batch=[1, 2]), end='{"key": "none/a/2", "sui')
    assert [case.seed for case in read_results(tmp_path).cases] == [0]


def test_a_done_case_stays_done_and_counts_once(tmp_path: Path) -> None:
    write(tmp_path, record("a", 0), record("a", 0, status="failed", error="no memory", scores={}, image=None))
    write(tmp_path, record("a", 0), name="cases-1.jsonl")
    results = read_results(tmp_path)
    assert len(results.done) == 1 and results.failed == ()


def test_an_image_that_is_a_link_out_of_the_folder_is_not_there(tmp_path: Path) -> None:
    folder, other = tmp_path / "out", tmp_path / "other.png"
    (folder / "none" / "a").mkdir(parents=True)
    for path in (other, folder / "none" / "a" / "1.png"):
        path.write_bytes(b"an image")
    (folder / "none" / "a" / "0.png").symlink_to(other)
    write(folder, record("a", 0), record("a", 1))
    results = read_results(folder)
    assert [results.path(case) for case in results.cases] == [None, folder / "none" / "a" / "1.png"]


@pytest.mark.parametrize("image", ["../other.png", "/etc/passwd", "none/../../x.png"])
def test_an_image_outside_the_folder_is_refused(tmp_path: Path, image: str) -> None:
    write(tmp_path, record("a", 0, image=image))
    with pytest.raises(SettingsError, match="Expected an image inside"):
        read_results(tmp_path)


def test_an_image_that_is_no_text_makes_no_record(tmp_path: Path) -> None:
    write(tmp_path, record("a", 0, image=3))
    with pytest.raises(SettingsError, match=r"Expected a record in line 1 of .*image"):
        read_results(tmp_path)


@pytest.mark.parametrize("line", ['{"key": "k"}', "[]", "{", '{"key": 1, "scores": {}}'])
def test_a_line_that_is_no_record_says_where_it_is(tmp_path: Path, line: str) -> None:
    write(tmp_path, record("a", 0), end=line + "\n")
    with pytest.raises(SettingsError, match=r"line 2 of .*cases-0\.jsonl"):
        read_results(tmp_path)


def test_a_record_without_its_fields_is_refused(tmp_path: Path) -> None:
    broken = record("a", 0)
    del broken["seed"]
    write(tmp_path, broken)
    with pytest.raises(SettingsError, match=r"under the key none/a/0 .* 'seed' is missing"):
        read_results(tmp_path)
    write(tmp_path, record("a", 0, status="half"))
    with pytest.raises(SettingsError, match=r"done or failed under the key none/a/0 .* got 'half'"):
        read_results(tmp_path)


def test_a_folder_without_records_and_a_run_that_is_no_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="found none"):
        read_results(tmp_path)
    write(tmp_path, record("a", 0))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "1.json").write_text("{", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"Expected a run in .*1\.json"):
        read_results(tmp_path)


def table(values: np.ndarray) -> dict[tuple[str, int], float]:
    return {(f"p{row}", column): float(value) for (row, column), value in np.ndenumerate(values)}


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 99))
def test_full_tables_give_what_the_statistics_of_tables_give(prompts: int, seeds: int, seed: int) -> None:
    one, other = np.random.default_rng(seed).integers(0, 2, (2, prompts, seeds)).astype(float)
    assert vars(summarize_score(table(one), SHARE)) == pytest.approx(vars(estimate(one)))
    found, expected = compare_scores(table(one), table(other), SHARE), compare(one, other)
    assert found is not None
    assert (found.gained, found.lost) == (expected.gained, expected.lost)
    assert found.p_value == pytest.approx(expected.p_value)
    assert vars(found.difference) == pytest.approx(vars(expected.difference))


def test_only_cases_that_both_have_are_compared() -> None:
    one = {("a", 0): 0.0, ("a", 1): 0.0, ("b", 0): 1.0}
    other = {("a", 1): 1.0, ("b", 0): 1.0, ("c", 0): 0.0}
    found = compare_scores(one, other, SHARE)
    assert found is not None and (found.difference.count, found.gained, found.lost) == (2, 1, 0)
    assert found.difference.value == pytest.approx(0.5)
    assert compare_scores(one, {("z", 0): 1.0}, SHARE) is None


def test_holm_is_the_step_down_correction() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0]) and holm([]) == []
