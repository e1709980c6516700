from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heedful.errors import SettingsError
from heedful.teaching.class_images import make_class_images, read_image_folder
from tests.pipelines import tiny_pipeline
from tests.teaching.lesson import picture

PROMPTS = ("a cat and a dog", "a cat")
FEW: dict[str, Any] = {"num_inference_steps": 2, "height": 16, "width": 16}


def test_the_model_paints_the_class_prompts_in_turn(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = make_class_images(tiny_pipeline(), PROMPTS, 3, tmp_path, batch=2, on_picture=lambda *n: seen.append(n), **FEW)
    assert found.captions == ("a cat and a dog", "a cat", "a cat and a dog")
    assert [image.size for image in found.images] == [(16, 16)] * 3
    assert seen == [(0, 3), (2, 3), (3, 3)]
    assert len({image.tobytes() for image in found.images}) == 3


def test_a_killed_run_goes_on_to_the_same_pictures(tmp_path: Path) -> None:
    whole = make_class_images(tiny_pipeline(), PROMPTS, 3, tmp_path / "whole", **FEW)
    make_class_images(tiny_pipeline(), PROMPTS, 2, tmp_path / "parts", **FEW)
    (tmp_path / "parts" / "00000.png").unlink()
    parts = make_class_images(tiny_pipeline(), PROMPTS, 3, tmp_path / "parts", **FEW)
    assert parts.captions == whole.captions
    for one, other in zip(parts.images, whole.images, strict=True):
        assert np.abs(np.asarray(one, float) - np.asarray(other, float)).max() <= 1  # batches of another size


def test_your_own_pictures_are_taken_first(tmp_path: Path) -> None:
    for number in range(2):
        picture(number).save(tmp_path / f"mine{number}.png")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "mine1.png", "text": "a dog"}\n')
    found = make_class_images(tiny_pipeline(), PROMPTS, 2, tmp_path, **FEW)
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
