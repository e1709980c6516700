"""Each kind of noise does to captions what it says, and without noise a caption stays the scene's own."""

import numpy as np
import pytest

from heedful.world.judge import Expectation, expectations
from heedful.world.scene import Item, Scene
from heedful.world.training.captions import ALT_TEXT, TRUE_CAPTIONS, CaptionNoise, noisy_caption
from heedful.world.vocabulary import WORDS

CAT, CLOCK = Item("cat", None, 20, 20, 40), Item("clock", "green", 44, 44, 28)
PAIR = Scene((CAT, CLOCK), "gray", (206, 206, 208), "a cat and a green clock on a gray background")
ONE = Scene((CLOCK,), "gray", (206, 206, 208), "a green clock")


def named(scene: Scene, noise: CaptionNoise, seed: int = 0) -> tuple[Expectation, ...]:
    return expectations(noisy_caption(np.random.default_rng(seed), scene, noise))


def test_without_noise_nothing_is_drawn_and_the_caption_stays() -> None:
    rng = np.random.default_rng(0)
    assert noisy_caption(rng, PAIR, TRUE_CAPTIONS) == PAIR.caption
    assert rng.random() == np.random.default_rng(0).random()


def test_an_absent_object_is_named_beside_the_one_that_is_there() -> None:
    found = named(ONE, CaptionNoise(absent=1.0))
    assert len(found) == 2
    assert Expectation("clock", "green") in found


def test_the_smaller_of_two_is_left_out() -> None:
    assert named(PAIR, CaptionNoise(unnamed=1.0)) == (Expectation("cat", None),)


def test_two_objects_are_named_in_each_others_colours() -> None:
    assert named(PAIR, CaptionNoise(swapped=1.0)) == (Expectation("cat", "green"), Expectation("clock", None))


def test_colours_are_left_out() -> None:
    assert named(PAIR, CaptionNoise(colourless=1.0)) == (Expectation("cat", None), Expectation("clock", None))


@pytest.mark.parametrize(("share", "first"), [(1.0, "cat"), (0.0, "clock")])
def test_the_larger_object_is_named_first_as_often_as_asked(share: float, first: str) -> None:
    # some noise elsewhere, for a caption without any is the scene's own
    assert named(PAIR, CaptionNoise(largest_first=share, colourless=1e-9))[0].name == first


@pytest.mark.parametrize(("share", "first"), [(1.0, "cat"), (0.0, "clock")])
def test_the_left_object_is_named_first_as_often_as_asked(share: float, first: str) -> None:
    assert named(PAIR, CaptionNoise(left_first=share, largest_first=0.0))[0].name == first


def test_alt_text_keeps_to_the_words_of_the_world_and_names_the_background() -> None:
    for seed in range(200):
        words = noisy_caption(np.random.default_rng(seed), PAIR, ALT_TEXT).split()
        assert set(words) <= set(WORDS)
        assert words[-3:] == ["a", "gray", "background"]
