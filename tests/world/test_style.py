"""What each field of a style does to scenes, and that the default changes nothing."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.world.scene import (
    NEAR_NATURAL,
    Scene,
    _visible,
    own_background,
    random_scene,
    rare_pairs,
    usual_colour,
)
from heedful.world.style import APART, CROWDED, Style
from heedful.world.vocabulary import ANIMALS, OBJECTS


def scenes(style: Style, count: int, number: int = 400) -> list[Scene]:
    rng = np.random.default_rng(0)
    return [random_scene(rng, count=count, style=style) for _ in range(number)]


@given(seed=st.integers(0, 2**32), count=st.integers(1, 3))
def test_crowded_scenes_lie_on_the_canvas_and_no_object_is_hidden(seed: int, count: int) -> None:
    scene = random_scene(np.random.default_rng(seed), count=count, style=CROWDED)
    low, high = CROWDED.sizes[count - 1]
    assert all(low <= item.size <= high for item in scene.items)
    assert all(item.size // 2 <= min(item.x, item.y) for item in scene.items)
    assert all(max(item.x, item.y) <= scene.canvas - item.size // 2 for item in scene.items)
    assert _visible(scene.items) >= CROWDED.visible


def test_crowded_objects_overlap_and_those_apart_do_not() -> None:
    assert np.mean([_visible(scene.items) < 1 for scene in scenes(CROWDED, 2)]) > 0.5
    assert np.mean([_visible(scene.items) < 0.9 for scene in scenes(APART, 2)]) < 0.05


def test_a_skew_makes_some_classes_and_pairs_rare() -> None:
    def share_of_commonest(style: Style) -> float:
        drawn = Counter(scene.items[0].name for scene in scenes(style, 1, 1500) if scene.items[0].name in ANIMALS)
        return max(drawn.values()) / drawn.total()

    assert share_of_commonest(APART) < 0.15
    assert share_of_commonest(Style(class_skew=1.0)) > 0.25

    def share_of_rare(style: Style) -> float:
        names = [frozenset(item.name for item in scene.items) for scene in scenes(style, 2, 800)]
        return float(np.mean([pair in rare_pairs(0.5) for pair in names]))

    assert share_of_rare(APART) > 0.4
    assert share_of_rare(Style(rare_pairs=0.5)) < 0.2


def test_animals_are_painted_only_where_a_style_says_so_and_never_in_their_own_colour() -> None:
    def painted(style: Style) -> list[tuple[str, str]]:
        items = [item for scene in scenes(style, 2) for item in scene.items if item.name in ANIMALS]
        return [(item.name, item.colour) for item in items if item.colour is not None]

    assert painted(APART) == []
    found = painted(Style(painted_animals=0.5))
    assert len(found) > 100
    assert all(colour not in NEAR_NATURAL[name] for name, colour in found)


def test_usual_colours_and_own_backgrounds_come_as_often_as_asked() -> None:
    def usual(style: Style) -> float:
        items = [item for scene in scenes(style, 1) for item in scene.items if item.name in OBJECTS]
        return float(np.mean([item.colour == usual_colour(item.name) for item in items]))

    assert usual(Style(usual_colour=1.0)) == 1.0
    assert usual(Style(usual_colour=0.0)) < 0.25

    def own(style: Style) -> float:
        drawn = scenes(style, 1)
        return float(np.mean([scene.background == own_background(scene.items[0].name) for scene in drawn]))

    assert own(APART) < 0.3
    assert own(Style(own_background=1.0)) > 0.75


@pytest.mark.parametrize("count", [1, 2, 3])
def test_sizes_alone_leave_the_rest_of_a_scene_as_it_was(count: int) -> None:
    """A style's other causes are off unless they are switched on, one by one."""
    plain = random_scene(np.random.default_rng(3), count=count)
    same = random_scene(np.random.default_rng(3), count=count, style=replace(APART, visible=0.0))
    assert plain == same
