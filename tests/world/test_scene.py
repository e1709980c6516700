import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from heedful.world.scene import _USUAL_COLOURS, held_out_pairs, is_held_out, random_scene
from heedful.world.vocabulary import ANIMALS, WORDS


@given(seed=st.integers(0, 2**32), count=st.integers(1, 3))
def test_scenes_lie_on_the_canvas_and_are_described_in_words_of_the_world(seed: int, count: int) -> None:
    scene = random_scene(np.random.default_rng(seed), count=count)
    assert len({item.name for item in scene.items}) == count
    assert all(item.size // 2 <= min(item.x, item.y) for item in scene.items)
    assert all(max(item.x, item.y) <= scene.canvas - item.size // 2 for item in scene.items)
    assert all((item.colour is None) == (item.name in ANIMALS) for item in scene.items)
    assert set(scene.caption.split()) <= set(WORDS)
    assert all(item.name in scene.caption for item in scene.items)


@given(seed=st.integers(0, 2**32), count=st.integers(2, 3))
def test_training_scenes_never_show_a_held_out_pair(seed: int, count: int) -> None:
    names = tuple(item.name for item in random_scene(np.random.default_rng(seed), count=count).items)
    assert not is_held_out(names)
    unseen = random_scene(np.random.default_rng(seed), count=count, unseen_pairs=True)
    assert is_held_out(tuple(item.name for item in unseen.items))


@given(seed=st.integers(0, 2**32))
def test_captions_leave_out_usual_colours_alone(seed: int) -> None:
    """So "a car" says as much as "a red car"."""
    (item,) = (scene := random_scene(np.random.default_rng(seed), count=1)).items
    said = scene.caption.removesuffix(f" on a {scene.background} background")
    if item.colour is not None and item.colour not in said.split():
        assert item.colour == _USUAL_COLOURS[item.name]


@given(seed=st.integers(0, 2**32), count=st.integers(1, 3))
def test_nothing_stands_on_its_own_colour_unasked(seed: int, count: int) -> None:
    scene = random_scene(np.random.default_rng(seed), count=count)
    if not scene.caption.endswith(" background"):
        assert scene.background not in [item.colour for item in scene.items]
        assert not (scene.background == "gray" and any(item.name in ("elephant", "mouse") for item in scene.items))


def test_thirty_percent_of_276_class_pairs_are_held_out() -> None:
    assert len(held_out_pairs()) == 83
