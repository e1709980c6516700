import json
from pathlib import Path

import pytest

from heedful import world
from heedful.lab import evenness_objects as reading
from heedful.lab import evenness_study

SMALL = ("--prompts", "2", "--seeds", "0,1", "--steps", "3", "--device", "cpu")


def test_overlap_and_retention_look_at_the_same_images(call, tmp_path: Path) -> None:
    first = call("study", "overlap", *SMALL, "--out", tmp_path)
    assert first.code == 0, first.err
    records = tmp_path / "steps-none.jsonl"
    assert len(records.read_text().splitlines()) == 1 + 4
    made = records.stat().st_mtime_ns
    second = call("study", "retention", *SMALL, "--out", tmp_path, "--json")
    assert second.code == 0, second.err
    assert records.stat().st_mtime_ns == made
    assert json.loads(second.out) == json.loads((tmp_path / "retention.json").read_text())
    assert first.err.count("Concepts of ") == 2
    assert "AUC within prompts, failure against success:" in first.out
    for study in ("overlap", "retention"):
        assert (tmp_path / f"{study}.png").read_bytes().startswith(b"\x89PNG")

    page = tmp_path / "page" / "overlap.md"
    page.parent.mkdir()
    page.write_text("# Overlap\n\n## Figures\n\n## What it says\n\nKept.\n")
    assert call("study", "page", tmp_path / "overlap.json", page).code == 0
    assert "| overlap | " in page.read_text()
    assert page.read_text().endswith("## What it says\n\nKept.\n")
    assert (page.parent / "images" / "overlap.png").is_file()


def test_evenness_says_what_it_leaves_out_without_the_font(
    call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (reading, world):
        monkeypatch.setattr(module, "font_is_installed", lambda: False)
    result = call("study", "evenness", *SMALL, "--out", tmp_path)
    assert result.code == 0, result.err
    assert "the nearest render is skipped" in result.err
    found = json.loads((tmp_path / "evenness.json").read_text())
    assert set(found["causal"]) == {method.name for method in evenness_study.CAUSAL}
    assert found["observed"]["none"]["rendered"] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--prompts", "139"), "1 to 138 prompts"),
        (("--seeds", "3-1"), "counts down"),
        (("--steps", "2"), "Expected steps of 3 or more, got 2."),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_painted(call, tmp_path: Path, options, said: str) -> None:
    result = call("study", "overlap", *options, "--out", tmp_path / "out")
    assert result.code == 2
    assert said in result.err
    assert not (tmp_path / "out").exists()
