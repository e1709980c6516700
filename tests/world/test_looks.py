"""What a look does to a sprite, and which looks are refused."""

import numpy as np
import pytest

from heedful.errors import SettingsError
from heedful.world.looks import ACCESSORY_KINDS, NATURAL, Kind, Look, dressed
from heedful.world.small_sprites import small_sprite
from heedful.world.sprites import SPRITE_SIZE, painted
from heedful.world.vocabulary import CLASSES

KINDS: tuple[Kind, ...] = ("halves", "sides", "stripes", "dots", "checks", "hat", "scarf")


def _is_blue_and_red(kind: Kind) -> tuple[np.ndarray, np.ndarray]:
    rgba = np.asarray(dressed(small_sprite("bear"), Look(kind=kind, first="blue", second="red"))).astype(int)
    seen = rgba[..., 3] > 200
    return seen & (rgba[..., 2] > rgba[..., 0] + 40), seen & (rgba[..., 0] > rgba[..., 2] + 40)


@pytest.mark.parametrize("kind", KINDS)
def test_a_look_shows_a_good_deal_of_both_of_its_colours(kind: Kind) -> None:
    blue, red = _is_blue_and_red(kind)
    assert blue.sum() > 0.15 * (blue.sum() + red.sum()) and red.sum() > 0.15 * (blue.sum() + red.sum())


def test_halves_are_above_each_other_and_sides_beside_each_other() -> None:
    for kind, axis in (("halves", 0), ("sides", 1)):
        blue, red = _is_blue_and_red(kind)
        assert np.nonzero(blue)[axis].max() <= np.nonzero(red)[axis].min()


def test_a_pattern_keeps_the_shape_and_the_shading() -> None:
    natural = small_sprite("cat")
    rgba = np.asarray(dressed(natural, Look(kind="checks", first="blue", second="orange")))
    assert (rgba[..., 3] == np.asarray(natural)[..., 3]).all()
    light = np.asarray(natural.convert("L")).astype(float)
    inside = rgba[..., 3] > 250
    blue = inside & (rgba[..., 2] > rgba[..., 0])
    assert np.corrcoef(light[blue], rgba[blue][:, :3].sum(axis=-1))[0, 1] > 0.8


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ACCESSORY_KINDS])
def test_either_colour_of_a_pattern_may_be_the_sprites_own(kind: Kind) -> None:
    natural, green = (np.asarray(each) for each in (small_sprite("dog"), painted(small_sprite("dog"), "green")))
    seen = natural[..., 3] > 128
    for first, second in ((NATURAL, "green"), ("green", NATURAL)):
        rgba = np.asarray(dressed(small_sprite("dog"), Look(kind=kind, first=first, second=second)))
        is_own, is_green = ((rgba == each).all(axis=-1) for each in (natural, green))
        assert (is_own | is_green)[seen].all()
        assert is_own[seen].mean() > 0.15 and is_green[seen].mean() > 0.15


@pytest.mark.parametrize("kind", ACCESSORY_KINDS)
def test_who_wears_something_may_keep_its_own_colours(kind: Kind) -> None:
    for name in CLASSES:
        picture = dressed(small_sprite(name), Look(kind=kind, first="natural", second="red"))
        assert max(picture.size) == SPRITE_SIZE


@pytest.mark.parametrize(
    ("kind", "first", "second", "why"),
    [
        ("dots", "natural", "mauve", "Expected a colour among black, .*, got 'mauve'"),
        ("dots", "natural", "natural", "two different colours"),
        ("hat", "natural", "natural", "Expected a colour among black"),
        ("dots", "red", "red", "two different colours"),
    ],
)
def test_looks_that_are_none_are_refused(kind: Kind, first: str, second: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        Look(kind=kind, first=first, second=second)
