"""What colours stand for is drawn beside them, and small images are enlarged."""

import numpy as np
from PIL import Image

from heedful.report.scale import enlarged, scale_tile, with_scale


def test_small_images_are_enlarged_by_whole_pixels_and_large_ones_stay() -> None:
    image = Image.new("RGB", (3, 2))
    image.putpixel((2, 1), (255, 0, 0))
    large = enlarged(image, 10)
    assert large.size == (12, 8) and large.getpixel((11, 7)) == (255, 0, 0) and large.getpixel((7, 7)) == (0, 0, 0)
    assert enlarged(large, 10) is not image and enlarged(large, 10).size == (12, 8)


def test_the_scale_runs_from_dark_below_to_light_above_and_stands_beside_the_image() -> None:
    tile = np.asarray(scale_tile(0.25, (140, 480)).convert("L")).astype(int)
    coloured = np.asarray(scale_tile(0.25, (140, 480)))
    column = int((coloured.max(axis=2) - coloured.min(axis=2) > 40).sum(axis=0).argmax())
    bar = tile[:, column][tile[:, column] < 240]
    assert len(bar) > 300 and bar[:20].mean() > bar[-20:].mean() + 100
    image = Image.new("RGB", (512, 512), "teal")
    both = with_scale(image, 0.25)
    assert both.width > 600 and both.crop((0, 0, 512, 512)).tobytes() == image.tobytes()
