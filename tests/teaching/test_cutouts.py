"""Things come away from their ground, and lie on another."""

import numpy as np

from heedful.teaching.cutouts import cut_out, lay, take_away

GREEN, PINK = (198, 228, 196), (242, 206, 220)


def _thing() -> tuple[np.ndarray, np.ndarray]:
    """A thing, black above and red below, on green, and its mask."""
    pixels, mask = np.full((32, 32, 3), GREEN, np.uint8), np.zeros((32, 32), bool)
    mask[8:20, 10:18] = True
    pixels[8:14, 10:18], pixels[14:20, 10:14], pixels[14:20, 14:18] = 0, (200, 0, 0), (0, 0, 200)
    return pixels, mask


def test_a_thing_lies_on_another_ground_as_it_was_and_brings_nothing_along() -> None:
    pixels, mask = _thing()
    ground = np.full_like(pixels, PINK)
    laid, where = lay(ground, cut_out(pixels, mask), (14.0, 14.0), 1.0, mirrored=False)
    assert np.array_equal(where, mask)
    assert np.array_equal(laid[mask], pixels[mask])
    assert (laid[~mask] == PINK).all()


def test_a_mirrored_thing_has_its_left_on_the_right() -> None:
    pixels, mask = _thing()
    laid, where = lay(np.full_like(pixels, PINK), cut_out(pixels, mask), (14.0, 14.0), 1.0, mirrored=True)
    assert np.array_equal(where, mask)
    assert np.array_equal(laid[8:20, 10:18], pixels[8:20, 10:18][:, ::-1])


def test_a_thing_is_laid_inside_wherever_its_middle_is_meant_to_be() -> None:
    pixels, mask = _thing()
    for middle in ((-50.0, 90.0), (31.0, 0.0), (90.0, -50.0)):
        _, where = lay(pixels, cut_out(pixels, mask), middle, 1.0, mirrored=False)
        assert where.sum() == mask.sum()
    _, small = lay(pixels, cut_out(pixels, mask), (16.0, 16.0), 0.5, mirrored=False)
    assert 0.15 < small.sum() / mask.sum() < 0.35


def test_what_a_thing_leaves_is_filled_with_its_ground_and_is_known() -> None:
    pixels, mask = _thing()
    found = take_away(pixels, mask)
    assert np.abs(found.pixels.astype(int) - GREEN).max() <= 1
    assert found.is_filled[mask].all() and found.is_filled.sum() == 12 * 16
