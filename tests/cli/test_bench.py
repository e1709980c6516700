"""`heedful bench`: what is said, what is written, and the exit codes."""

import json
from pathlib import Path

import pytest

from heedful.bench import BenchFolder, read_records
from tests.cli.conftest import Call, override


@pytest.fixture
def command(model_folder: Path, tmp_path: Path) -> list[object]:
    suite = tmp_path / "two.txt"
    suite.write_text("a cat and a blue clock\na dog and a [bear]\n", encoding="utf-8")
    options = ["--model", model_folder, "--steps", 2, "--seeds", "0", "--scores", "world", "--out", tmp_path / "out"]
    return ["bench", "run", "--suite", suite, *options]


FOUND = ("Concepts of 'a cat and a blue clock': cat; blue clock", "Concepts of 'a dog and a bear': bear")


def test_run_says_what_every_method_did_and_goes_on_later(call: Call, command: list[object], tmp_path: Path) -> None:
    first = call(*command, "--methods", "none")
    assert first.code == 0 and first.out.splitlines()[-1] == f"Records: {tmp_path / 'out' / 'records'}"
    head, columns = first.out.splitlines()[:2]
    assert head.split() == ["world."] and columns.split() == ["method", "done", "failed", "s/image", "cost", "success"]
    assert "Images" in first.err
    assert all(first.err.count(found) == 1 for found in FOUND)
    more = call(*command, "--methods", "none,attend-and-excite", "--json")
    assert more.code == 0 and "2 of 4 images are done already." in more.err
    methods = {line["method"]: line for line in json.loads(more.out)["methods"]}
    assert {name: (line["done"], line["failed"]) for name, line in methods.items()} == {
        "none": (2, 0), "attend-and-excite": (2, 0),
    }  # fmt: skip
    assert methods["none"]["cost"] == 1 and "world.neglect" in methods["none"]["figures"]


def test_a_failed_case_says_so_in_the_exit_code(call: Call, command: list[object], tmp_path: Path) -> None:
    suite = tmp_path / "two.txt"
    suite.write_text("a cat and a blue clock\nand with of\n", encoding="utf-8")
    result = call(*command, "--methods", "a-star")
    assert result.code == 1 and "A case failed: UnsuitablePrompt: Expected concepts" in result.err
    assert sorted(row["status"] for row in read_records(tmp_path / "out")) == ["done", "failed"]


def test_scores_can_come_later(call: Call, command: list[object], tmp_path: Path, model_folder: Path) -> None:
    call(*command, "--methods", "none")
    later = ["bench", "add-score", "--scores", "world", "--out", tmp_path / "out", "--model", model_folder]
    result = call(*later)
    assert result.code == 0 and "0 images scored, 2 had these scores." in result.err
    assert all(result.err.count(found) == 1 for found in FOUND)
    image = next((tmp_path / "out").glob("none/*/*.png"))
    for records in (tmp_path / "out" / "records").iterdir():
        records.write_text(records.read_text(encoding="utf-8").replace("world.", "older."), encoding="utf-8")
    image.write_bytes(image.read_bytes()[:99])
    result = call(*later)
    assert result.code == 1 and "1 images scored, 0 had these scores." in result.err
    assert f"Not scored: {image.relative_to(tmp_path / 'out')}: Expected an image at {image}" in result.err


def test_prompts_that_were_removed_are_written_again_by_the_run_alone(
    call: Call, command: list[object], tmp_path: Path, model_folder: Path
) -> None:
    assert call(*command, "--methods", "none").code == 0
    suite = tmp_path / "out" / "suite.jsonl"
    written = suite.read_text(encoding="utf-8")
    suite.unlink()
    later = ["bench", "add-score", "--scores", "instance", "--out", tmp_path / "out", "--model", model_folder]
    result = call(*later)
    assert result.code == 2 and "Expected the prompts of all images in " in result.err and not suite.exists()
    again = call(*command, "--methods", "none")
    assert again.code == 0 and "2 of 2 images are done already." in again.err
    assert suite.read_text(encoding="utf-8") == written


def test_a_misspelt_folder_is_not_made(call: Call, tmp_path: Path, model_folder: Path) -> None:
    result = call("bench", "add-score", "--scores", "world", "--out", tmp_path / "typo", "--model", model_folder)
    assert result.code == 2 and "Expected a benchmark in" in result.err and not (tmp_path / "typo").exists()


def test_list_names_suites_and_scores(call: Call) -> None:
    result = call("bench", "list")
    assert result.code == 0
    for word in (
        "attend-and-excite",
        "276",
        "world-two-report",
        "geneval",
        "t2i-compbench",
        "Scores: world, instance, attention",
    ):
        assert word in result.out


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (["--suite", "no such suite"], "Expected one of the suites attend-and-excite"),
        (["--methods", "astar"], "Expected a method, one of none"),
        (["--scores", "beauty"], "Expected a score, one of world, instance, attention"),
        (["--scores", "dino"], "Expected scores that need no images to compare with"),
        (["--engine", "slurm"], 'Invalid value "slurm" for --engine. Choose from: "serial", "ray".'),
        (["--address", "head:6379"], "Expected --address only with --engine ray"),
        (["--batch-size", 0], "Expected a batch size of 1 or more"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    call: Call, command: list[object], tmp_path: Path, changes: list[object], why: str
) -> None:
    result = call(*override(command, changes))
    assert result.code == 2 and why in result.err
    assert not list((tmp_path / "out").glob("*"))


def test_another_run_in_the_folder_is_refused_at_once(call: Call, command: list[object], tmp_path: Path) -> None:
    with BenchFolder(tmp_path / "out").locked():
        result = call(*command)
    assert result.code == 2 and "another one writes there (process " in result.err
