"""Images on disk: where they lie, what they say of themselves, and how they become a data set."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from heedful.errors import OutputError, SettingsError
from heedful.images import Entry, Gallery, encode, folder_name, read_entry
from heedful.images.gallery import image_name

PROMPT = "a cat and a blue clock"
SETTINGS = {"prompt": PROMPT, "seed": 0, "method": "none", "steps": 20, "concepts": ["cat", "blue clock"]}


def _save(gallery: Gallery, **changes: object) -> Path:
    settings = SETTINGS | changes
    name = image_name(str(settings["method"]), str(settings["prompt"])).format(settings["seed"])
    image = encode(Image.new("RGB", (8, 8), "red"), Entry(settings, {"loss": None, "model": "m"}))
    gallery.write_images({name: image})
    return gallery.folder / name


def test_an_image_lies_under_its_method_prompt_and_seed(tmp_path: Path) -> None:
    assert _save(Gallery(tmp_path)) == tmp_path / "none" / PROMPT / "0.png"


def test_an_image_tells_how_it_was_made(tmp_path: Path) -> None:
    assert read_entry(_save(Gallery(tmp_path))) == Entry(SETTINGS, {"loss": None, "model": "m"})


def test_an_image_is_done_if_it_was_made_with_the_same_settings(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path)
    path = _save(gallery)
    name = path.relative_to(tmp_path).as_posix()
    assert gallery.find(name, SETTINGS) == read_entry(path)
    assert gallery.find(name.replace("0.png", "1.png"), SETTINGS | {"seed": 1}) is None


def test_other_settings_are_named(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path)
    path = _save(gallery)
    with pytest.raises(SettingsError) as error:
        gallery.find(path.relative_to(tmp_path).as_posix(), SETTINGS | {"steps": 25, "concepts": ["cat"]})
    assert str(error.value) == (
        f'{path} was made with other settings: steps 20, now 25; concepts ["cat", "blue clock"], now ["cat"]. '
        "Choose another folder, or overwrite what is there."
    )


def test_somebody_elses_image_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    Image.new("RGB", (8, 8)).save(path)
    with pytest.raises(SettingsError, match="is not an image of heedful's"):
        Gallery(tmp_path).find("0.png", SETTINGS)


def test_metadata_has_a_line_per_image_in_the_form_of_imagefolder(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path)
    for seed in (10, 2):
        _save(gallery, seed=seed)
    _save(gallery, method="a-star")
    Image.new("RGB", (8, 8)).save(tmp_path / "grid.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "none" / PROMPT / "99.png")  # not ours
    lines = [json.loads(line) for line in gallery.write_metadata().read_text(encoding="utf-8").splitlines()]
    assert [line["file_name"] for line in lines] == [
        f"a-star/{PROMPT}/0.png",
        f"none/{PROMPT}/2.png",
        f"none/{PROMPT}/10.png",
    ]
    assert all((tmp_path / line["file_name"]).is_file() and line["text"] == PROMPT for line in lines)
    assert lines[1]["seed"] == 2 and lines[1]["steps"] == 20 and lines[1]["loss"] is None


def test_a_prompt_is_its_own_folder_name() -> None:
    assert folder_name(PROMPT) == PROMPT
    assert folder_name("ein Bär & „zwei“ Uhren") == "ein Bär & „zwei“ Uhren"


@pytest.mark.parametrize("prompt", ["a/b", "../up", ".hidden", "..", "x" * 500, "é" * 200, "a\nb", " a", "a\\b", "/"])
def test_what_no_folder_can_be_called_is_changed_and_told_apart(prompt: str) -> None:
    name = folder_name(prompt)
    assert name != prompt and "/" not in name and not name.startswith(".") and len(name.encode()) <= 200
    assert name != folder_name(prompt + "x")


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_prompts_have_different_folders(one: str, other: str) -> None:
    assert (folder_name(one) == folder_name(other)) == (one == other)


def test_a_folder_under_a_file_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"but .*file is a file"):
        Gallery(tmp_path / "file" / "out").check()
    Gallery(tmp_path / "new" / "out").check()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
