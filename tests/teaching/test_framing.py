"""Which square of a photo is learnt."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from heedful.teaching.framing import Box, box_around, frame, letterboxed, square_around, told_by_masks
from heedful.teaching.photos import Photo
from tests.teaching.lesson import picture

PROMPT = "a <cat1> cat and a <dog1> dog"


def _mask(size: tuple[int, int], box: Box) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(255, box)
    return mask


@given(st.data())
def test_a_square_holds_what_it_must_keep_and_as_much_of_the_image_as_it_can(data: st.DataObject) -> None:
    width, height = (data.draw(st.integers(1, 60)) for _ in range(2))
    left, right = sorted(data.draw(st.lists(st.integers(0, width), min_size=2, max_size=2, unique=True)))
    top, bottom = sorted(data.draw(st.lists(st.integers(0, height), min_size=2, max_size=2, unique=True)))
    box = square_around((width, height), (left, top, right, bottom))
    side = box[2] - box[0]
    assert side == box[3] - box[1] == max(min(width, height), right - left, bottom - top)
    assert box[0] <= left and box[1] <= top and box[2] >= right and box[3] >= bottom
    for low, high, length in ((box[0], box[2], width), (box[1], box[3], height)):
        assert (low >= 0 and high <= length) or (low <= 0 and high >= length)


def test_a_wide_photo_is_cut_where_its_concepts_are_and_nothing_else_counts() -> None:
    size = (60, 20)
    regions = {"<cat1>": _mask(size, (40, 2, 50, 10)), "<dog1>": _mask(size, (48, 8, 58, 20))}
    photo = Photo(image=Image.new("RGB", size, "red"), regions=regions)
    shown = frame([photo], PROMPT, [told_by_masks(photo)])
    assert shown.images[0].size == (20, 20) and shown.masks is not None
    assert box_around(shown.masks) == (1, 2, 19, 20)
    # one of two concepts is told: all of the image counts
    half = Photo(image=photo.image, regions={"<cat1>": regions["<cat1>"]})
    assert frame([half], PROMPT, [told_by_masks(half)]).masks is None
    assert frame([half], "a <cat1> cat", [told_by_masks(half)]).masks is not None


def test_beyond_a_photo_is_gray_that_does_not_count() -> None:
    photo = Photo(image=Image.new("RGB", (40, 20), "red"), mask=_mask((40, 20), (0, 0, 40, 20)))
    shown = frame([photo], "a <cat1> cat", [told_by_masks(photo)])
    pixels, counts = np.asarray(shown.images[0]), np.asarray(shown.masks[0] if shown.masks else None)
    assert pixels.shape == (40, 40, 3)
    assert (pixels[10:30] == (255, 0, 0)).all() and (pixels[:10] == 127).all() and (pixels[30:] == 127).all()
    assert counts[10:30].all() and not counts[:10].any() and not counts[30:].any()


def test_a_square_and_what_nothing_is_known_of_stay_as_they_are() -> None:
    square, wide = Photo(image=picture()), Photo(image=Image.new("RGB", (32, 16)))
    masked = Photo(image=picture(), mask=_mask((16, 16), (0, 0, 4, 4)))
    shown = frame([square, wide, masked], PROMPT, [None, None, told_by_masks(masked)])
    assert [image.size for image in shown.images] == [(16, 16), (32, 16), (16, 16)]
    assert shown.images[0] is square.image and shown.images[2] is masked.image
    assert shown.captions == (PROMPT,) * 3
    assert shown.masks is not None and [mask.getbbox() for mask in shown.masks][2] == (0, 0, 4, 4)


def test_photos_of_many_captions_are_shown_as_often_as_others() -> None:
    two, three = (Photo(image=picture(), captions=tuple(f"{n} of {count}" for n in range(count))) for count in (2, 3))
    shown = frame([Photo(image=picture()), two, three], PROMPT, [None] * 3)
    assert [sum(image is photo.image for image in shown.images) for photo in (two, three)] == [6, 6]
    assert sorted(shown.captions) == sorted(
        [PROMPT] * 6 + ["0 of 2", "1 of 2"] * 3 + ["0 of 3", "1 of 3", "2 of 3"] * 2
    )


@pytest.mark.parametrize("size", [(40, 20), (20, 40), (20, 20)])
def test_a_whole_photo_stands_on_gray(size: tuple[int, int]) -> None:
    square, box = letterboxed(Image.new("RGB", size, "red"), 16)
    assert square.size == (16, 16)
    assert (np.asarray(square.crop(box)) == (255, 0, 0)).all()
    assert (box[2] - box[0]) / (box[3] - box[1]) == size[0] / size[1]
