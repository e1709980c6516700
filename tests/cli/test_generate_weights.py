"""`--prompt-weights`: images of the weighted prompt, concepts of the plain one, and weights in what an image says."""

import json
from pathlib import Path

import pytest

from heedful.images.gallery import read_entry
from tests.cli.conftest import Call

WEIGHTED = "a (red)1.4 chair and a clock--"


@pytest.fixture
def options(model_folder: Path) -> list[object]:
    return ["--model", model_folder, "--steps", 1, "--seeds", "0", "--method", "none"]


def image(folder: Path) -> Path:
    (found,) = folder.glob("*/*/0.png")
    return found


def test_weights_change_the_image_and_are_written_into_it(call: Call, options: list[object], tmp_path: Path) -> None:
    pytest.importorskip("compel")
    plain, weighted = tmp_path / "plain", tmp_path / "weighted"
    assert call("generate", "a red chair and a clock", "--out", plain, *options).code == 0
    result = call("generate", WEIGHTED, "--prompt-weights", "--out", weighted, *options)
    assert result.code == 0 and "Concepts: red chair; clock" in result.err and "looks like a weight" not in result.err
    assert image(weighted).parent.name == "a red chair and a clock"
    entry = read_entry(image(weighted))
    assert entry is not None and entry.settings["weighted_prompt"] == WEIGHTED
    assert "weighted_prompt" not in json.loads((plain / "metadata.jsonl").read_text(encoding="utf-8"))
    assert image(plain).read_bytes() != image(weighted).read_bytes()
    again = call("generate", WEIGHTED, "--prompt-weights", "--out", weighted, *options)
    assert again.code == 0 and "1 of 1 images are there already." in again.err
    other = call("generate", "a (red)1.2 chair and a clock", "--prompt-weights", "--out", weighted, *options)
    assert other.code == 2 and "weighted prompt a (red)1.4 chair and a clock--, now a (red)1.2" in other.err


def test_a_prompt_without_weights_makes_the_same_image_and_is_done(
    call: Call, options: list[object], tmp_path: Path
) -> None:
    pytest.importorskip("compel")
    command = ["generate", "a red chair", "--out", tmp_path, *options]
    assert call(*command).code == 0
    again = call(*command, "--prompt-weights")
    assert again.code == 0 and "1 of 1 images are there already." in again.err


def test_weights_without_the_option_are_said_to_be_text(call: Call, options: list[object], tmp_path: Path) -> None:
    result = call("generate", WEIGHTED, "--out", tmp_path, *options)
    assert result.code == 0 and result.err.count("looks like a weight, '(red)1.4'") == 1


def test_see_reads_weights_too(call: Call, options: list[object], tmp_path: Path) -> None:
    pytest.importorskip("compel")
    keep = [*options[:4], "--animation", "none"]
    result = call("see", WEIGHTED, "--prompt-weights", "--words", "a dog", "--out", tmp_path, *keep)
    assert result.code == 0, result.err
    written = json.loads((tmp_path / ".heedful" / "files.json").read_text(encoding="utf-8"))["files"]
    assert {path.name for path in tmp_path.glob("*/*/0/*")} == {Path(name).name for name in written}
    (said,) = tmp_path.glob("*/*/*/maps.json")
    assert json.loads(said.read_text(encoding="utf-8"))["prompt"] == "a red chair and a clock"


def test_a_weight_of_another_tool_in_the_negative_prompt_is_refused(
    call: Call, options: list[object], tmp_path: Path
) -> None:
    pytest.importorskip("compel")
    command = ["generate", WEIGHTED, "--prompt-weights", "--negative-prompt", "a (dog:1.2)", "--out", tmp_path]
    result = call(*command, *options)
    assert result.code == 2 and "behind brackets" in result.err
