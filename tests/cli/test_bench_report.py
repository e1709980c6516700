"""`heedful bench report` as a command: its options, what it prints, its errors."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.report.little_run import little_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prompts = ("a cat and a lion", "a dog and a blue clock")
    return little_run(tmp_path_factory.mktemp("bench"), prompts, range(1), ("none", "a-star"), steps=2)


def test_the_page_is_written_and_its_path_is_the_last_line(call: Call, run: Path) -> None:
    result = call("bench", "report", run, "--title", "Two")
    assert result.code == 0
    html, markdown = run / "report" / "index.html", run / "report" / "report.md"
    assert result.out.split() == ["Markdown:", str(markdown), str(html)]
    assert "<h1>Two</h1>" in html.read_text(encoding="utf-8")


def test_score_and_baseline_can_be_chosen_and_json_names_the_files(call: Call, run: Path) -> None:
    options = ["--score", "world.confidence", "--baseline", "a-star", "--json", "--out", run.parent / "page"]
    result = call("bench", "report", run, *options)
    files = json.loads(result.out)
    assert files["markdown"] == str(run.parent / "page" / "report.md")
    text = Path(files["markdown"]).read_text(encoding="utf-8")
    assert "Differences from a-star" in text and "`world.confidence` [95 %]" in text


def test_a_paper_is_printed_beside_what_was_measured(call: Call, run: Path) -> None:
    """The embedded model is judged by its own score, so the measured cells are empty, and that is said."""
    result = call("bench", "report", run, "--against", "a-star")
    line = next(line for line in result.out.splitlines() if line.startswith("a-star"))
    assert line.split() == ["a-star", "0.82", "–", "0.84", "–", "0.82", "–"]
    assert "arXiv 2306.14544" in result.err and "Nothing here was scored by blip-caption" in result.err
    assert "## Published and measured" in (run / "report" / "report.md").read_text(encoding="utf-8")


def test_a_paper_without_a_table_is_refused(call: Call, run: Path) -> None:
    result = call("bench", "report", run, "--against", "disendiff")
    assert result.code == 2 and "a-star, attend-and-excite" in result.err


def test_a_run_with_masks_writes_them_and_none_without_can_join(call: Call, tmp_path: Path) -> None:
    suite, out = tmp_path / "one.txt", tmp_path / "out"
    suite.write_text("a cat and a lion\n", encoding="utf-8")
    command = ["bench", "run", "--suite", suite, "--seeds", "0", "--steps", 2, "--methods", "none,a-star", "--out", out]
    result = call(*command, "--masks")
    assert result.code == 0
    found = json.loads((out / "masks.json").read_text(encoding="utf-8"))
    assert [image["file_name"] for image in found["images"]] == [
        "a-star/a cat and a lion/0.png", "none/a cat and a lion/0.png",
    ]  # fmt: skip
    assert {category["name"] for category in found["categories"]} == {"cat", "lion"} and found["annotations"]
    assert "made in another way: masks" in call(*command).err


def test_a_folder_without_records_is_refused(call: Call, tmp_path: Path) -> None:
    assert "Expected records of a benchmark" in call("bench", "report", tmp_path).err
    assert not (tmp_path / "report").exists()
