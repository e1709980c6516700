from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heedful.errors import OutputError, SettingsError
from heedful.folders import OutputFolder
from heedful.options import ClassImageOptions
from heedful.teaching.class_images import make_class_images, read_image_folder
from heedful.teaching.dataset import TrainingImages
from tests.pipelines import tiny_pipeline
from tests.teaching.lesson import picture

PROMPTS = ("a cat and a dog", "a cat")
FEW = ClassImageOptions(class_steps=2, sample_batch_size=2)


def made(count: int, folder: Path, **given: Any) -> TrainingImages:
    return make_class_images(tiny_pipeline(), PROMPTS, count, folder, FEW, size=(16, 16), **given)


def test_the_model_generates_for_the_class_prompts_in_turn(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = made(3, tmp_path, on_image=lambda *n: seen.append(n))
    assert found.captions == ("a cat and a dog", "a cat", "a cat and a dog")
    assert [image.size for image in found.images] == [(16, 16)] * 3
    assert seen == [(0, 3), (2, 3), (3, 3)]
    assert len({image.tobytes() for image in found.images}) == 3


def test_a_killed_run_goes_on_to_the_same_images(tmp_path: Path) -> None:
    whole = made(3, tmp_path / "whole")
    made(2, tmp_path / "parts")
    (tmp_path / "parts" / "00000.png").unlink()
    parts = made(3, tmp_path / "parts")
    assert parts.captions == whole.captions
    for one, other in zip(parts.images, whole.images, strict=True):
        assert np.abs(np.asarray(one, float) - np.asarray(other, float)).max() <= 1  # batches of another size


def test_your_own_images_are_taken_first(tmp_path: Path) -> None:
    for number in range(2):
        picture(number).save(tmp_path / f"mine{number}.png")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "mine1.png", "text": "a dog"}\n')
    found = made(2, tmp_path)
    assert found.captions == ("a cat and a dog", "a dog")
    assert found.images[0].tobytes() == picture(0).tobytes()
    assert len(list(tmp_path.glob("*.png"))) == 2


def test_folders_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="found none"):
        read_image_folder(tmp_path / "nowhere", "a cat")
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_image_folder(tmp_path, "a cat")
    (tmp_path / "metadata.jsonl").write_text("[]\n")
    with pytest.raises(SettingsError, match=r"Expected lines such as"):
        read_image_folder(tmp_path, "a cat")


def test_a_persons_own_captions_stay_word_for_word(tmp_path: Path) -> None:
    picture(0).save(tmp_path / "mine.png")
    own = '{"file_name": "mine.png", "text": "a dog", "author": "me"}\n'
    (tmp_path / "metadata.jsonl").write_text(own)
    made(2, tmp_path)
    assert (tmp_path / "metadata.jsonl").read_text().startswith(own)


def test_a_folder_that_another_process_fills_is_refused(tmp_path: Path) -> None:
    with OutputFolder(tmp_path).locked(), pytest.raises(OutputError, match="the only run"):
        made(2, tmp_path)
