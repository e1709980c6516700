"""Objects cut out of a plain background, and the plain way to a mask."""

import numpy as np
import pytest
import torch
from true_masks import half_peak_masks, object_masks

from heedful.attention import Maps
from heedful.guidance import MapHistory
from heedful.prompts import Prompt
from heedful.world.render import box, masks, render
from heedful.world.scene import random_scene
from heedful.world.tokenizer import build_tokenizer


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.usefixtures("drawn_sprites")
def test_renders_are_cut_out_as_they_were_pasted() -> None:
    rng = np.random.default_rng(3)
    fits = []
    for count in (1, 2, 3) * 10:
        scene = random_scene(rng, count=count)
        found = object_masks(render(scene), [box(item, scene.canvas) for item in scene.items])
        fits += [iou(*pair) for pair in zip(found, masks(scene), strict=True)]
    assert np.mean(fits) > 0.93


def test_holes_belong_to_the_object_and_the_ground_around_it_does_not() -> None:
    picture = np.full((20, 30, 3), 200, dtype=np.uint8)
    picture[5:15, 5:15] = (20, 60, 200)
    picture[8:12, 8:12] = 200
    (found,) = object_masks(picture, [(4, 4, 16, 16)])
    assert found.sum() == 100 and found[5:15, 5:15].all()


def test_where_boxes_overlap_a_pixel_goes_to_the_nearer_middle() -> None:
    picture = np.full((20, 40, 3), 255, dtype=np.uint8)
    picture[5:15, 4:36] = 0
    left, right = object_masks(picture, [(4, 5, 24, 15), (16, 5, 36, 15)])
    assert not (left & right).any() and (left | right)[5:15, 4:36].all()
    assert left[10, 19] and right[10, 20]


def test_without_boxes_there_are_no_masks() -> None:
    assert object_masks(np.zeros((8, 9, 3), dtype=np.uint8), []).shape == (0, 8, 9)


def test_the_plain_way_is_half_of_the_maximum_of_the_average() -> None:
    prompt = Prompt.parse("a cat and a blue clock", build_tokenizer())
    tokens = torch.full((1, prompt.end + 1, 8, 8), 0.01)
    tokens[0, prompt.concepts[0].token_indices[0], 1:4, 1:4] = 0.4
    maps = MapHistory([prompt])
    maps.append(Maps(tokens))
    masks = half_peak_masks(maps, 0, (64, 64))
    assert masks.shape == (2, 64, 64)
    assert masks[0, 20, 20] and not masks[0, 40, 20]
