"""Images of every kind that a person may have: read right, or refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heedful.errors import SettingsError
from heedful.image_files import is_whole_png, png_bytes, read_image, read_mask


def test_sixteen_bits_are_scaled_and_not_cut(tmp_path: Path) -> None:
    file = tmp_path / "deep.png"
    Image.fromarray(np.array([[0, 300, 32896, 65535]], dtype=np.uint16)).save(file)
    assert np.asarray(read_image(file))[0, :, 0].tolist() == [0, 1, 128, 255]
    assert np.asarray(read_mask(file))[0].tolist() == [0, 1, 128, 255]


def test_a_transparent_image_lies_on_white_and_a_transparent_mask_covers_nothing(tmp_path: Path) -> None:
    file = tmp_path / "clear.png"
    Image.fromarray(np.array([[[255, 0, 0, 255], [255, 255, 255, 0], [0, 0, 0, 0]]], dtype=np.uint8)).save(file)
    assert np.asarray(read_image(file))[0].tolist() == [[255, 0, 0], [255, 255, 255], [255, 255, 255]]
    assert np.asarray(read_mask(file))[0, 1:].tolist() == [0, 0]


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "float.tiff"
    Image.fromarray(np.array([[0.0, 0.5]], dtype=np.float32)).save(file)
    with pytest.raises(SettingsError, match="floating-point numbers"):
        read_image(file)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", png_bytes(Image.new("RGB", (64, 64), "red"))[:-30]])
def test_a_broken_image_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.png"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"Expected an image at .*broken\.png, but it cannot be read"):
        read_image(file)


def test_an_enormous_image_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "bomb.png"
    Image.new("1", (64, 64)).save(file)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_image(file)


def test_a_png_is_whole_if_its_end_is_there() -> None:
    png = png_bytes(Image.new("RGB", (8, 8)), note="a")
    assert is_whole_png(png) and not is_whole_png(png[:-1])
    assert png_bytes(Image.new("RGB", (8, 8)), note="a") == png
