from dataclasses import replace

import numpy as np
import pytest

from heedful.lab.nearest_render import RenderSearch
from heedful.world.render import box, render
from heedful.world.scene import Item, Scene

CAT = Item("cat", None, 30, 34, 28)
CAR = Item("car", "red", 12, 12, 20)


@pytest.fixture(autouse=True)
def _sprites(drawn_sprites) -> None:
    """Rendering without the emoji font."""


def picture_of(*items: Item) -> np.ndarray:
    return render(Scene(items, "gray", (206, 206, 208), ""))


@pytest.mark.parametrize("item", [CAT, replace(CAT, mirrored=True, angle=4, size=33), CAR])
def test_a_clean_render_is_its_own_nearest(item: Item) -> None:
    nearest = RenderSearch()(picture_of(item), item.name, item.colour, box(item, 64))
    assert nearest is not None
    assert nearest.distance < 0.002  # pixels are rounded to whole numbers
    assert nearest.item == item


def test_a_wrong_box_is_moved_to_the_object() -> None:
    left, top, right, bottom = box(CAT, 64)
    search = RenderSearch()
    exact = search(picture_of(CAT), "cat", None, (left, top, right, bottom))
    moved = search(picture_of(CAT), "cat", None, (left - 2, top + 1, right, bottom + 2))
    assert exact is not None and moved is not None
    assert moved.item == exact.item == CAT


def test_the_worse_an_object_is_painted_the_farther_it_is() -> None:
    clean = picture_of(CAT)
    search = RenderSearch()
    distances = []
    for strength in (0.0, 0.3, 0.6):
        smeared = (clean * (1 - strength) + strength * np.roll(clean, 6, axis=1)).round().astype(np.uint8)
        nearest = search(smeared, "cat", None, box(CAT, 64))
        assert nearest is not None
        distances.append(nearest.distance)
    assert distances[0] + 0.01 < distances[1] < distances[2]


def test_another_class_or_colour_is_far() -> None:
    search = RenderSearch()
    own = search(picture_of(CAR), "car", "red", box(CAR, 64))
    blue = search(picture_of(CAR), "car", "blue", box(CAR, 64))
    bear = search(picture_of(CAR), "bear", None, box(CAR, 64))
    assert own is not None and blue is not None and bear is not None
    assert own.distance < 0.3 * min(blue.distance, bear.distance)


def test_pixels_of_other_objects_do_not_count() -> None:
    other = Item("bear", None, 30, 16, 20)
    search = RenderSearch()
    counted = search(picture_of(CAT, other), "cat", None, box(CAT, 64))
    left_out = search(picture_of(CAT, other), "cat", None, box(CAT, 64), (box(other, 64),))
    assert counted is not None and left_out is not None
    assert left_out.distance < 0.002 < 0.05 < counted.distance
    assert search(picture_of(CAT), "cat", None, box(CAT, 64), ((0, 0, 64, 64),)) is None
