"""Probes on keys: a direction that is planted is found, and a real pipeline can be probed."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from heedful.errors import SettingsError
from heedful.lab import Trial, fit_probes
from heedful.lab.key_probes import _probe
from tests.transformer_pipelines import tiny_sd3

TRIAL = Trial(prompts=("a cat and a dog", "a dog and a frog"), seeds=(0, 1), steps=2, batch=2)


class Seen(NamedTuple):
    name: str


class Told:
    """Sees the first concept of every image, and not the second."""

    def __call__(self, images: np.ndarray) -> list[list[Seen]]:
        self.calls = getattr(self, "calls", 0) + 1
        return [[Seen("cat" if self.calls == 1 else "dog")] for _ in images]


def test_probe_finds_the_direction_from_present_to_absent_concepts() -> None:
    draw = np.random.default_rng(0)
    is_there, half = np.arange(400) % 2 == 0, np.arange(400) // 2 % 2
    planted = np.array([0.0, 0.6, 0.8, 0.0])
    keys = draw.normal(size=(400, 4)) - np.outer(is_there, 3 * planted)
    head = _probe("site", 1, keys, is_there, half)
    assert np.dot(head.direction, planted) > 0.98
    assert np.linalg.norm(head.direction) == pytest.approx(1)
    assert head.score > 0.95
    assert head.spread == pytest.approx(1.8, abs=0.2)  # of noise and of what is planted: sqrt(1 + 1.5^2)
    blind = _probe("site", 0, draw.normal(size=(400, 4)), is_there, half)
    assert 0.4 < blind.score < 0.6


def test_heads_of_a_pipeline_are_ranked_and_a_share_of_them_is_kept() -> None:
    pipe: Any = tiny_sd3()
    heads = fit_probes(pipe, Told(), TRIAL, share=0.5)  # type: ignore[arg-type]
    config = pipe.transformer.config
    assert len(heads) == config.num_layers * config.num_attention_heads // 2
    assert [head.score for head in heads] == sorted((head.score for head in heads), reverse=True)
    assert {len(head.direction) for head in heads} == {config.attention_head_dim}
    assert all(head.spread > 0 for head in heads)


def test_images_that_all_show_the_same_are_refused() -> None:
    with pytest.raises(SettingsError, match="Sample more prompts"):
        fit_probes(tiny_sd3(), lambda images: [[] for _ in images], TRIAL)  # type: ignore[arg-type]
