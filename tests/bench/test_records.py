"""Lines that are whole, lines that a kill has cut, and which of several records of a case counts."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.bench.records import lines, read_cases, read_records, shard, shards, trim
from heedful.errors import SettingsError
from heedful.files import append_lines


def row(key: str, position: int = 1, size: int = 1, **changes: Any) -> str:
    usual = {"key": key, "status": "done", "scores": {}, "image": f"none/a cat/{key}.png", "batch": [position, size]}
    return json.dumps(usual | changes)


def write(folder: Path, *rows: str, process: int = 0, of: str = "cases") -> Path:
    path = shard(folder, process, of=of)
    path.parent.mkdir(parents=True, exist_ok=True)
    append_lines(path, rows)
    return path


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.data())
def test_wherever_a_file_is_cut_whole_batches_are_left(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    ends = [0]
    for number, size in enumerate(sizes):
        path = write(folder, *(row(f"{number}.{position}", position, size) for position in range(1, size + 1)))
        ends.append(path.stat().st_size)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    left = sum(sizes[: sum(end <= cut for end in ends) - 1])
    before = list(lines(path))
    assert len(before) == left
    trim(path)
    assert path.stat().st_size == max(end for end in ends if end <= cut)
    assert list(lines(path)) == before


def test_trimming_finds_whole_batches_far_from_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heedful.bench.records._TAIL", 64)
    path = write(tmp_path, row("a"), *(row(f"b{position}", position, 9) for position in range(1, 9)))
    trim(path)
    assert [each["key"] for each in lines(path)] == ["a"]


def test_a_done_record_beats_a_failed_one_of_any_process(tmp_path: Path) -> None:
    write(tmp_path, row("a"), row("b", status="failed"), row("c", status="failed", error="first"))
    write(tmp_path, row("a", status="failed"), row("b"), row("c", status="failed", error="last"), process=1)
    assert [path.name for path in shards(tmp_path)] == ["cases-0.jsonl", "cases-1.jsonl"]
    found = {each["key"]: (each["status"], each.get("error")) for each in read_records(tmp_path)}
    assert found == {"a": ("done", None), "b": ("done", None), "c": ("failed", "last")}
    assert len(list(read_cases(tmp_path))) == 6


def test_later_scores_join_their_records(tmp_path: Path) -> None:
    write(tmp_path, row("a", scores={"world.success": 1.0}), row("b"))
    write(tmp_path, *(json.dumps({"key": key, "scores": {"clip.text": 0.3}}) for key in ("a", "gone")), of="scores")
    found = {each["key"]: each["scores"] for each in read_records(tmp_path)}
    assert found == {"a": {"world.success": 1.0, "clip.text": 0.3}, "b": {}}


@pytest.mark.parametrize("image", ["../secret.png", "/etc/passwd", "none/../../secret.png"])
def test_an_image_outside_the_folder_is_refused(tmp_path: Path, image: str) -> None:
    write(tmp_path, row("a", image=image))
    with pytest.raises(SettingsError, match="Expected an image inside the folder"):
        list(read_records(tmp_path))


@pytest.mark.parametrize("text", ["no json", "[]", '{"scores": {}}', '{"key": 1, "scores": {}}'])
def test_a_line_that_is_no_record_is_named(tmp_path: Path, text: str) -> None:
    write(tmp_path, row("a"), text)
    with pytest.raises(SettingsError, match=r"line 2 of .*cases-0.jsonl"):
        list(read_records(tmp_path))


@pytest.mark.parametrize(
    "changes", [{"key": 3}, {"scores": {"world.success": "yes"}}, {"seed": "three"}, {"batch": "12"}]
)
def test_a_record_with_a_field_of_another_type_is_refused_by_its_line(tmp_path: Path, changes: dict[str, Any]) -> None:
    record = {"key": "a", "scores": {}, "status": "done", "batch": [1, 1], "seed": 3}
    path = shard(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(record | changes) + "\n")
    with pytest.raises(SettingsError, match=r"line 1 of .*(of another type|no numbers)"):
        list(read_records(tmp_path))
