"""The labelled grid: every image in its place, large enough to look at, labels that fit."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heedful.report.grid import LARGEST, SMALLEST, Grid, compose

RED, BLUE = (200, 30, 30), (30, 30, 200)


def _grid(size: tuple[int, int] = (64, 64), title: str = "a cat and a clock", columns: int = 2) -> Grid:
    cells = [
        [Image.new("RGB", size, RED if (row + column) % 2 else BLUE) for column in range(columns)] for row in (0, 1)
    ]
    return Grid(title=title, columns=[f"method {n}" for n in range(columns)], rows=["seed 0", "seed 1"], cells=cells)


def _share(picture: Image.Image, colour: tuple[int, int, int]) -> float:
    """How many pixels have `colour`."""
    return float((np.asarray(picture) == colour).all(-1).sum())


def test_every_image_is_there_and_enlarged_to_be_looked_at() -> None:
    picture = compose(_grid())
    side = 64 * 3  # the smallest whole factor that reaches 160 px
    assert side >= SMALLEST
    assert _share(picture, RED) == _share(picture, BLUE) == 2 * side * side


def test_large_images_are_reduced_and_keep_their_proportions() -> None:
    assert _share(compose(_grid((2048, 1024), columns=1)), RED) == LARGEST * LARGEST // 2


def test_the_picture_holds_text_above_and_beside_the_images() -> None:
    with_text, without = compose(_grid()), compose(Grid(title="", columns=["", ""], rows=["", ""], cells=_grid().cells))
    assert with_text.width > without.width and with_text.height > without.height
    dark = (np.asarray(with_text.convert("L")) < 60).sum()
    assert dark > (np.asarray(without.convert("L")) < 60).sum() + 200


def test_an_empty_place_is_left_grey() -> None:
    picture = compose(
        Grid(title="t", columns=["a", "b"], rows=["r"], cells=[[Image.new("RGB", (160, 160), RED), None]])
    )
    assert _share(picture, (238, 238, 240)) == 160 * 160


@pytest.mark.parametrize("title", ["word " * 60, "unbroken" * 60, "日本語のプロンプト", ""])
def test_a_long_title_wraps_instead_of_running_out(title: str) -> None:
    assert compose(_grid(title=title)).width < 700


def test_images_are_read_from_files_too(tmp_path: Path) -> None:
    Image.new("RGB", (160, 160), RED).save(tmp_path / "0.png")
    picture = compose(Grid(title="t", columns=["a"], rows=[""], cells=[[tmp_path / "0.png"]]))
    assert _share(picture, RED) == 160 * 160
