import numpy as np
import pytest
from PIL import Image

from heedful.prompts import Prompt
from heedful.scores.boxes import WorldBoxes, crop, is_in
from heedful.world.tokenizer import build_tokenizer


def test_boxes_are_shares_so_they_fit_the_picture_at_any_size(renders: list[Image.Image]) -> None:
    """The first render shows a brown bow on a plain background."""
    prompt = Prompt.parse("a brown bow", build_tokenizer())
    (small,) = WorldBoxes()([renders[0]], [prompt])[0]["bow"]
    (large,) = WorldBoxes()([renders[0].resize((512, 512), Image.Resampling.NEAREST)], [prompt])[0]["bow"]
    assert large == pytest.approx(small, abs=0.05)
    pixels = np.asarray(renders[0]).astype(int)
    rows, columns = np.nonzero(np.abs(pixels - pixels[0, 0]).max(axis=2) > 40)
    assert small == pytest.approx(
        (columns.min() / 64, rows.min() / 64, (columns.max() + 1) / 64, (rows.max() + 1) / 64), abs=0.05
    )


def test_what_is_not_there_has_no_box(renders: list[Image.Image]) -> None:
    prompt = Prompt.parse("a cat and a brown bow", build_tokenizer())
    boxes = WorldBoxes()([renders[0]], [prompt])[0]
    assert boxes["cat"] == []
    assert len(boxes["bow"]) == 1
    assert WorldBoxes()([], []) == []


@pytest.mark.parametrize(
    ("part", "size"),
    [
        ((0.25, 0.0, 0.75, 1.0), (20, 10)),
        ((-0.5, -0.5, 2.0, 2.0), (40, 10)),
        ((0.5, 0.5, 0.5, 0.5), (1, 1)),
        ((1.2, 1.2, 1.5, 1.5), (1, 1)),
    ],
)
def test_a_crop_lies_in_the_picture_and_is_never_empty(part: tuple[float, ...], size: tuple[int, int]) -> None:
    left, top, right, bottom = part
    assert crop(Image.new("RGB", (40, 10)), (left, top, right, bottom)).size == size


def test_a_place_is_in_a_box_up_to_its_border() -> None:
    assert is_in((0.5, 0.5), (0.5, 0.0, 1.0, 0.5))
    assert not is_in((0.49, 0.5), (0.5, 0.0, 1.0, 1.0))
