"""Objects are recognised by class and look, wherever they stand, without the emoji font."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from heedful import world
from heedful.world.detector import Detection
from heedful.world.looks import Look, dressed
from heedful.world.recognition import make_templates, recognise
from heedful.world.small_sprites import SHEET, draw_sheet, small_sprite
from heedful.world.sprites import font_is_installed

CAT, DOG = (each.look for each in world.one_image_concepts()[0].instances)
TEMPLATES = make_templates((CAT, DOG))
GROUND = (206, 214, 230)


def _picture(
    noun: str, look: Look | None, left: int, top: int, size: int, mirrored: bool
) -> tuple[np.ndarray, Detection]:
    sprite = small_sprite(noun) if look is None else dressed(small_sprite(noun), look)
    sprite = sprite.resize([round(side * size / max(sprite.size)) for side in sprite.size], Image.Resampling.BOX)
    if mirrored:
        sprite = sprite.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    canvas = Image.new("RGB", (64, 64), GROUND)
    canvas.paste(sprite, (left, top), sprite)
    box = (float(left), float(top), float(left + sprite.width), float(top + sprite.height))
    return np.array(canvas), Detection("other", "mixed", box, 0.8)


@settings(max_examples=15, deadline=None)
@given(
    noun=st.sampled_from(["cat", "dog", "bear", "apple", "car"]),
    look=st.sampled_from([CAT, DOG, None]),
    left=st.integers(1, 24),
    top=st.integers(1, 24),
    size=st.integers(24, 38),
    mirrored=st.booleans(),
)
def test_class_and_look_are_named_at_any_place_and_size(
    noun: str, look: Look | None, left: int, top: int, size: int, mirrored: bool
) -> None:
    picture, found = _picture(noun, look, left, top, size, mirrored)
    (sighting,) = recognise(picture, [found], TEMPLATES, {"cat", "dog", noun})
    assert (sighting.noun, sighting.look) == (noun, look or "natural") and sighting.unlike < 0.3


def test_a_look_with_its_colours_exchanged_is_another_look() -> None:
    turned = Look(kind=DOG.kind, first=DOG.second, second=DOG.first)
    picture, found = _picture("dog", turned, 10, 10, 30, False)
    assert recognise(picture, [found], TEMPLATES)[0].look == turned


def test_where_nothing_is_there_is_nothing_to_name() -> None:
    picture = np.full((64, 64, 3), GROUND, np.uint8)
    assert recognise(picture, [], TEMPLATES) == []
    (sighting,) = recognise(picture, [Detection("cat", "natural", (10.0, 10.0, 40.0, 40.0), 0.8)], TEMPLATES)
    assert sighting.unlike > 0.9


@pytest.mark.skipif(not font_is_installed(), reason="rendering needs the emoji font")
def test_the_small_sprites_are_drawn_again_bit_for_bit() -> None:
    with Image.open(SHEET) as sheet:
        assert np.array_equal(np.asarray(sheet), np.asarray(draw_sheet()))
