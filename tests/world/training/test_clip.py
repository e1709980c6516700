"""What the CLIP learns from: captions, and captions that are wrong in one place."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heedful.world.scene import random_scene
from heedful.world.tokenizer import build_tokenizer
from heedful.world.training.clip import ClipPhase, wrong_caption
from heedful.world.training.recipes import MINIATURE
from heedful.world.vocabulary import CLASSES, COLOURS


@given(seed=st.integers(0, 2**32), count=st.integers(1, 3))
def test_a_wrong_caption_differs_in_a_class_or_in_colours(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    scene = random_scene(rng, count=count)
    right, wrong = scene.caption.split(), wrong_caption(rng, scene).split()
    changed = [(old, new) for old, new in zip(right, wrong, strict=True) if old != new]
    assert 1 <= len(changed) <= 2
    for old, new in changed:
        assert (old in COLOURS and new in COLOURS) or (old in CLASSES and new in CLASSES)


def test_swapped_colours_are_among_the_wrong_captions() -> None:
    rng = np.random.default_rng(0)
    swapped = 0
    for _ in range(200):
        scene = random_scene(rng, count=2)
        wrong = wrong_caption(rng, scene)
        swapped += wrong != scene.caption and sorted(wrong.split()) == sorted(scene.caption.split())
    assert swapped >= 5


@pytest.mark.usefixtures("drawn_sprites")
def test_the_loss_starts_at_chance_and_reaches_every_weight() -> None:
    phase = ClipPhase(MINIATURE, build_tokenizer(), torch.device("cpu"))
    loss = phase.loss(0)
    assert 0 < float(loss.detach()) < 2 * np.log(2 * MINIATURE.clip_batch)
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in phase.clip.parameters())
