"""The examples run as they stand, and write where they are told to."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))
LONGEST = 40  # lines


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_writes_into_the_folder_that_it_is_given(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(example), "pictures"])
    runpy.run_path(str(example), run_name="__main__")
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]
    written = {path.suffix for path in (tmp_path / "pictures").iterdir()}
    assert written == {".png"}
    assert capsys.readouterr().out


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_short_and_says_how_it_is_run(example: Path) -> None:
    text = example.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST
    assert f"\npython examples/{example.name} [FOLDER]\n" in text


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4
