"""`heedful generate`: what is written, what is said, and that nothing is made twice."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heedful.catalogue import DEFAULT_METHOD
from heedful.images.gallery import read_entry
from tests.cli.conftest import Call

PROMPT = "a cat and a blue clock"


def _pngs(folder: Path) -> dict[str, bytes]:
    """Every image of `folder` by its path, grids left out."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("*/*/*.png"))}


@pytest.fixture
def options(model_folder: Path) -> list[object]:
    return ["--model", model_folder, "--steps", 3]


def test_one_command_makes_images_metadata_and_a_grid(call: Call, options: list[object], tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = call("generate", PROMPT, "--compare", "none,a-star", "--seeds", "0-1", "--out", out, *options)
    assert result.code == 0 and result.err.count("Concepts: cat; blue clock") == 1
    assert sorted(_pngs(out)) == [f"{method}/{PROMPT}/{seed}.png" for method in ("a-star", "none") for seed in (0, 1)]
    rows = [json.loads(line) for line in (out / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {(row["file_name"], row["text"]) for row in rows} == {(name, PROMPT) for name in _pngs(out)}
    assert all(row["concepts"] == ["cat", "blue clock"] and row["steps"] == 3 for row in rows)
    assert result.out.splitlines()[-1] == str(out / "grid.png")
    with Image.open(out / "grid.png") as grid:
        assert grid.width > 300
    assert "a-star" in result.out and "final loss" in result.out


def test_the_same_command_again_makes_nothing_twice(
    call: Call, options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["generate", PROMPT, "--method", "none", "--seeds", "0-2", "--out", tmp_path / "out", *options]
    assert call(*command).code == 0
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*/*/*.png")}
    monkeypatch.setattr("heedful.images.painter.paint", lambda *_, **__: pytest.fail("painted again"))
    again = call(*command)
    assert again.code == 0 and "3 of 3 images are there already." in again.err
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*/*/*.png")}


def test_more_seeds_only_add_images(call: Call, options: list[object], tmp_path: Path) -> None:
    command = ["generate", PROMPT, "--method", "none", "--out", tmp_path / "out", *options]
    call(*command, "--seeds", "0-1")
    before = _pngs(tmp_path / "out")
    assert call(*command, "--seeds", "0-2").code == 0
    after = _pngs(tmp_path / "out")
    assert len(after) == 3 and before.items() <= after.items()


def test_other_settings_are_refused_until_they_may_overwrite(call: Call, options: list[object], tmp_path: Path) -> None:
    command = ["generate", PROMPT, "--method", "none", "--seeds", "0", "--out", tmp_path / "out", *options]
    call(*command)
    refused = call(*command, "--guidance-scale", 3)
    assert refused.code == 2
    assert "was made with other settings: guidance scale 7.5, now 3.0. Choose another folder" in refused.err
    assert call(*command, "--guidance-scale", 3, "--overwrite").code == 0
    entry = read_entry(tmp_path / "out" / "none" / PROMPT / "0.png")
    assert entry is not None and entry.settings["guidance_scale"] == 3


def test_a_negative_prompt_is_a_setting_of_the_image(call: Call, model_folder: Path, tmp_path: Path) -> None:
    command = ["generate", PROMPT, "--method", "none", "--seeds", "0", "--model", model_folder, "--steps", 1]
    plain, against = tmp_path / "plain", tmp_path / "against"
    call(*command, "--out", plain)
    assert call(*command, "--out", against, "--negative-prompt", "a dog").code == 0
    images = [np.asarray(Image.open(out / "none" / PROMPT / "0.png")) for out in (plain, against)]
    assert (images[0] != images[1]).any()
    entries = [read_entry(out / "none" / PROMPT / "0.png") for out in (plain, against)]
    assert entries[0] is not None and "negative_prompt" not in entries[0].settings
    assert entries[1] is not None and entries[1].settings["negative_prompt"] == "a dog"
    refused = call(*command, "--out", against, "--negative-prompt", "a cow")
    assert refused.code == 2 and "negative prompt a dog, now a cow" in refused.err
    idle = call(*command, "--out", tmp_path / "idle", "--negative-prompt", "a dog", "--guidance-scale", 1)
    assert idle.code == 2 and "a guidance scale above 1 for a negative prompt" in idle.err


def test_the_grid_is_opened_on_request(
    call: Call, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("subprocess.Popen", lambda words, **_: started.append(words))
    command = ["generate", PROMPT, "--method", "none", "--seeds", "0", "--out", tmp_path, "--model", model_folder]
    command += ["--steps", 1]
    assert call(*command, "--open").code == 0
    assert started == [["/usr/bin/xdg-open", str(tmp_path / "grid.png")]]
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert "no viewer" in call(*command, "--open").err and len(started) == 1


@pytest.mark.parametrize("method", ["none", "attend-and-excite"])
def test_an_image_depends_on_its_seed_and_not_on_its_batch(
    call: Call, options: list[object], tmp_path: Path, method: str
) -> None:
    def pixels(*arguments: object) -> dict[str, np.ndarray]:
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        assert call("generate", *arguments, "--method", method, "--out", out, *options).code == 0
        return {name: np.asarray(Image.open(out / name)).astype(int) for name in _pngs(out)}

    together = pixels(PROMPT, "a red apple and a dog", "--seeds", "0-2", "--batch-size", 6)
    alone = pixels(PROMPT, "--seeds", "2", "--batch-size", 1)
    name = f"{method}/{PROMPT}/2.png"
    assert list(alone) == [name]
    # the sums of a larger batch run in another order, so the last bit may differ, and with it a rounded pixel
    assert np.abs(together[name] - alone[name]).max() <= 1


def test_prompts_come_from_a_file_too_and_marks_do_not_reach_the_folder(
    call: Call, options: list[object], tmp_path: Path
) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("a [cat] and a dog\n\na red apple\n", encoding="utf-8")
    out = tmp_path / "out"
    assert call("generate", "--prompts", file, "--seeds", 5, "--out", out, *options).code == 0
    assert list(_pngs(out)) == [f"{DEFAULT_METHOD}/{text}/5.png" for text in ("a cat and a dog", "a red apple")]
    entry = read_entry(out / DEFAULT_METHOD / "a cat and a dog" / "5.png")
    assert entry is not None and entry.settings["concepts"] == ["cat"]


def test_json_is_all_there_is_on_stdout(call: Call, options: list[object], tmp_path: Path) -> None:
    result = call("generate", PROMPT, "--seeds", "0", "--json", "--out", tmp_path / "out", *options)
    summary = json.loads(result.out)
    assert [Path(image["file"]).is_file() for image in summary["images"]] == [True]
    assert summary["methods"][0]["method"] == DEFAULT_METHOD and summary["methods"][0]["made"] == 1
    assert Path(summary["grid"]).is_file() and "Images" in result.err


def test_another_scheduler_can_be_chosen(call: Call, options: list[object], tmp_path: Path) -> None:
    assert call("generate", PROMPT, "--seeds", 0, "--scheduler", "DDPM", "--out", tmp_path, *options).code == 0
    entry = read_entry(tmp_path / DEFAULT_METHOD / PROMPT / "0.png")
    assert entry is not None and entry.settings["scheduler"] == "DDPMScheduler"
