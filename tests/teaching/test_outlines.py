"""A rough mask comes to the outline of the thing."""

import numpy as np

from heedful.teaching.outlines import bounds, filled, fit_masks, grown, joined, largest_piece

GREEN, RED, BLACK = (198, 228, 196), (200, 30, 30), (10, 10, 10)


def _block(top: int, left: int, bottom: int, right: int, side: int = 32) -> np.ndarray:
    mask = np.zeros((side, side), bool)
    mask[top:bottom, left:right] = True
    return mask


def _scene(*things: tuple[np.ndarray, tuple[int, int, int]]) -> np.ndarray:
    pixels = np.full((32, 32, 3), GREEN, np.uint8)
    for mask, colour in things:
        pixels[mask] = colour
    return pixels


def test_what_touches_the_mask_and_is_no_ground_is_added_and_ground_is_taken_away() -> None:
    head, hat = _block(12, 8, 24, 20), _block(7, 10, 12, 18)
    rough = _block(13, 6, 25, 19)  # misses the hat, and has ground on the left and below
    (found,) = fit_masks(_scene((head, RED), (hat, BLACK)), [rough])
    assert np.array_equal(found, head | hat)


def test_a_thing_that_only_its_mask_knows_stays_as_it_is() -> None:
    rough = _block(10, 10, 20, 20)
    (found,) = fit_masks(_scene(), [rough])
    assert np.array_equal(found, rough)


def test_nothing_is_known_of_an_image_without_ground() -> None:
    masks = [_block(0, 0, 32, 20), _block(0, 20, 32, 32)]
    assert all(map(np.array_equal, fit_masks(_scene(), masks), masks))


def test_things_that_touch_keep_apart_and_none_grows_into_what_is_far() -> None:
    first, second, far = _block(10, 2, 20, 12), _block(10, 12, 20, 22), _block(26, 2, 30, 6)
    pixels = _scene((first, RED), (second, BLACK), (far, (0, 0, 200)))
    one, other = fit_masks(pixels, [_block(12, 3, 18, 10), _block(12, 14, 18, 21)])
    assert not (one & other).any() and not ((one | other) & far).any()
    assert np.array_equal(one | other, first | second)
    assert (one & first).sum() > 0.8 * first.sum() and (other & second).sum() > 0.8 * second.sum()


def test_ground_that_shows_through_a_thing_is_not_the_thing() -> None:
    ring = _block(8, 8, 24, 24) & ~_block(13, 13, 19, 19)
    (found,) = fit_masks(_scene((ring, RED)), [ring & _block(8, 8, 24, 20)])
    assert np.array_equal(found, ring)
    assert np.array_equal(filled(ring), _block(8, 8, 24, 24))


def test_pieces_reach_and_bounds() -> None:
    small, large = _block(1, 1, 3, 3), _block(10, 5, 20, 9)
    both = small | large
    assert np.array_equal(largest_piece(both), large)
    assert np.array_equal(joined(_block(0, 0, 2, 2), both), small)
    assert np.array_equal(grown(small, 1), _block(0, 0, 4, 4)) and np.array_equal(grown(small, 0), small)
    assert bounds(both) == (1, 1, 9, 20)
