"""`heedful bench report` as a command: its options, what it prints, its errors."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from heedful.cli.bench import app
from heedful.errors import SettingsError
from tests.report.little_run import little_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prompts = ("a cat and a lion", "a dog and a blue clock")
    return little_run(tmp_path_factory.mktemp("bench"), prompts, range(1), ("none", "a-star"), steps=2)


def test_the_page_is_written_and_its_path_is_the_last_line(run: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(run), "--title", "Two"], catch_exceptions=False)
    assert result.exit_code == 0
    html, markdown = run / "report" / "index.html", run / "report" / "report.md"
    assert result.output.split() == ["Markdown:", str(markdown), str(html)]
    assert "<h1>Two</h1>" in html.read_text(encoding="utf-8")


def test_score_and_baseline_can_be_chosen_and_json_names_the_files(run: Path) -> None:
    options = ["--score", "world.confidence", "--baseline", "a-star", "--json"]
    result = CliRunner().invoke(app, ["report", str(run), *options], catch_exceptions=False)
    files = json.loads(result.output)
    text = Path(files["markdown"]).read_text(encoding="utf-8")
    assert "Differences from a-star" in text and "`world.confidence` [95 %]" in text


def test_a_run_with_masks_writes_them_and_none_without_can_join(tmp_path: Path) -> None:
    suite, out = tmp_path / "one.txt", tmp_path / "out"
    suite.write_text("a cat and a lion\n", encoding="utf-8")
    options = ["run", "--suite", suite, "--seeds", "0", "--steps", 2, "--methods", "none,a-star", "--out", out]
    command = [str(option) for option in options]
    result = CliRunner().invoke(app, [*command, "--masks"], catch_exceptions=False)
    assert result.exit_code == 0
    found = json.loads((out / "masks.json").read_text(encoding="utf-8"))
    assert [image["file_name"] for image in found["images"]] == [
        "a-star/a cat and a lion/0.png", "none/a cat and a lion/0.png",
    ]  # fmt: skip
    assert {category["name"] for category in found["categories"]} == {"cat", "lion"} and found["annotations"]
    with pytest.raises(SettingsError, match="made in another way: masks"):
        CliRunner().invoke(app, command, catch_exceptions=False)


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Expected records of a benchmark"):
        CliRunner().invoke(app, ["report", str(tmp_path)], catch_exceptions=False)
    assert not (tmp_path / "report").exists()
