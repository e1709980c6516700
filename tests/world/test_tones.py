import numpy as np
import pytest

from heedful.world import sprites
from heedful.world.render import box, layer, render
from heedful.world.scene import Item, Scene
from heedful.world.tones import NATURAL_COLOURS, colours_in, tone_shares
from heedful.world.vocabulary import ANIMALS, COLOURS

GROUND = (190, 212, 240)


def halves(name: str, left: str, right: str, x: int = 32, size: int = 36) -> tuple[np.ndarray, Item]:
    """A picture of one object that is of one colour left of its middle and of another right of it."""
    item = Item(name, left, x, 32, size)
    canvas = np.full((64, 64, 3), GROUND, dtype=np.float32)
    (alpha, one), (_, two) = layer(item, 64), layer(Item(name, right, x, 32, size), 64)
    colours = np.where(np.arange(64)[None, :, None] < x, one, two)
    return (canvas + alpha * (colours - canvas)).round().astype(np.uint8), item


@pytest.mark.usefixtures("drawn_sprites")
@pytest.mark.parametrize("name", ["apple", "bowl", "bench"])
def test_a_two_coloured_object_holds_both_colours(name: str) -> None:
    pairs = [(one, two) for one in COLOURS for two in COLOURS if one < two and "white" not in (one, two)]
    missed, invented = [], []
    for one, two in pairs:
        picture, item = halves(name, one, two)
        held = set(colours_in(picture, box(item, 64)))
        missed += [(one, two)] * bool({one, two} - held)
        invented += [(one, two, held)] * bool(held - {one, two})
    assert missed == []
    assert len(invented) <= 0.12 * len(pairs), invented


@pytest.mark.usefixtures("drawn_sprites")
@pytest.mark.parametrize("colour", COLOURS)
def test_a_one_coloured_object_holds_its_colour_alone(colour: str) -> None:
    item = Item("apple", colour, 30, 34, 30)
    picture = render(Scene((item,), "blue", GROUND, ""))
    assert colours_in(picture, box(item, 64)) == (colour,)


@pytest.mark.usefixtures("drawn_sprites")
def test_what_lies_in_another_box_is_left_out() -> None:
    picture, item = halves("apple", "red", "green")
    left, top, right, bottom = box(item, 64)
    shares = tone_shares(picture, (left, top, right, bottom), [(32.0, 0.0, 64.0, 64.0)])
    assert shares.get("red", 0) > 0.7
    assert shares.get("green", 0) < 0.1
    assert colours_in(picture, (left, top, right, bottom), [(0.0, 0.0, 64.0, 64.0)]) == ()


def test_background_has_no_colour() -> None:
    assert tone_shares(np.full((64, 64, 3), GROUND, dtype=np.uint8), (10.0, 10.0, 40.0, 40.0)) == {}


@pytest.mark.skipif(not sprites.font_is_installed(), reason="animals are drawn with the emoji font")
@pytest.mark.parametrize("name", ANIMALS)
def test_an_animal_holds_none_but_its_natural_colours(name: str) -> None:
    for size in (24, 32, 40):
        item = Item(name, None, 32, 32, size)
        held = colours_in(render(Scene((item,), "blue", GROUND, "")), box(item, 64))
        assert set(held) <= set(NATURAL_COLOURS[name])
