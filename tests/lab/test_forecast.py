"""Overlap and retention on maps and records that are made by hand."""

import numpy as np
import pytest
import torch

from heedful.attention import Maps
from heedful.lab import overlap_study, retention_study
from heedful.lab.forecast import advantages, forecast, onset
from heedful.lab.trial import Trial
from heedful.lab.watch import Seen, Watched
from heedful.prompts import Prompt
from heedful.scores.statistics import Estimate
from heedful.world.tokenizer import build_tokenizer

PROMPT = Prompt.parse("a cat and a dog", build_tokenizer())
TRIAL = Trial(prompts=tuple("abcdefgh"), seeds=(0, 1, 2, 3), steps=3)
STEPS = 5


def seen(cat: torch.Tensor, dog: torch.Tensor) -> Seen:
    """An image whose maps (step, 4, 4) are these."""
    tokens = torch.zeros(len(cat), PROMPT.end + 1, 4, 4)
    for concept, maps in zip(PROMPT.concepts, (cat, dog), strict=True):
        tokens[:, list(concept.token_indices)] = maps[:, None]
    return Seen(PROMPT, Maps(tokens), np.zeros((64, 64, 3), np.uint8), [])


def half(side: str) -> torch.Tensor:
    maps = torch.zeros(STEPS, 4, 4)
    maps[:, :, slice(0, 2) if side == "left" else slice(2, 4)] = 0.1
    return maps


def record(prompt: str, seed: int, fault: str | None = None, found: tuple[int, int] = (1, 1), **values) -> Watched:
    faults = {name: name == fault for name in ("neglect", "leakage", "hybrid", "duplicate", "extra")}
    return Watched(prompt, seed, fault is None, **faults, found=list(found), values=values)


def test_maps_that_share_nothing_overlap_by_zero_and_equal_ones_most() -> None:
    apart, same = (
        overlap_study.read(seen(half("left"), half("right"))),
        overlap_study.read(seen(half("left"), half("left"))),
    )
    for name in ("overlap", "overlap of shares"):
        assert apart[name] == [0] * STEPS
        assert same[name] == [0.5] * STEPS
    for name in ("inseparability", "inseparability, sharp"):
        assert all(0 < value < 0.7 for value in apart[name])
        assert same[name] == pytest.approx([1.0] * STEPS, abs=1e-5)


def test_only_shares_do_not_see_that_one_map_is_faint() -> None:
    found = overlap_study.read(seen(half("left"), 0.25 * half("left")))
    assert found["overlap"] == pytest.approx([0.2] * STEPS, abs=1e-5)
    assert found["overlap of shares"] == pytest.approx([0.5] * STEPS, abs=1e-5)


def test_what_stays_is_kept_and_what_moves_is_lost() -> None:
    moving = half("left")
    moving[3:] = half("right")[3:]
    found = retention_study.read(seen(half("left"), moving))
    stays, moves = (np.array(found["lost"], dtype=float)[:, place] for place in (0, 1))
    np.testing.assert_allclose(stays, [np.nan, 0.5, 0.5, 0.5, 0.5])
    np.testing.assert_allclose(moves, [np.nan, 0.5, 0.5, 1, 0.5])  # lost once, against the step before
    forgotten = np.array(found["forgotten"], dtype=float)[:, 1]
    np.testing.assert_allclose(forgotten, [np.nan, 0.5, 0.5, 1, 1])  # against the beginning, for good
    drift = np.array(found["drift"], dtype=float)
    np.testing.assert_allclose(drift[:, 0], [np.nan, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(drift[:, 1], [np.nan, 0, 0, 2, 2], atol=1e-6)
    np.testing.assert_allclose(found["faintness"], np.full((STEPS, 2), 0.9), atol=1e-6)


def test_a_sign_that_appears_at_a_step_predicts_from_there_on() -> None:
    rng = np.random.default_rng(0)
    records = [record(prompt, seed, "neglect" if seed % 2 else None) for prompt in TRIAL.prompts for seed in range(4)]
    values = rng.random((len(records), 3))
    values[:, 1:] = np.array([[2.0 if each.neglect else 1.0] for each in records])
    found = forecast(records, TRIAL, {"sign": values}, {"sign": "a sign"})
    neglect, duplicate = (found["measures"]["sign"]["within"][name] for name in ("neglect", "duplicate"))
    assert [figure["value"] for figure in neglect["by_step"][1:]] == [1, 1]
    assert 0.2 < neglect["by_step"][0]["value"] < 0.8
    assert neglect["onset"] == 1
    assert found["measures"]["sign"]["all"]["failure"]["onset"] == 1
    assert duplicate == {"by_step": [None, None, None], "onset": None}
    assert found["pairs"]["neglect"] == {"images": 16, "pairs": 256, "within": 32, "prompts": 8}
    assert found["measures"]["sign"]["courses"]["neglect"][2]["value"] == 2
    gain = advantages(records, values, -values)["failure"]
    assert [figure["value"] for figure in gain[1:] if figure is not None] == [1, 1]


def test_an_onset_is_the_first_step_of_an_unbroken_row() -> None:
    low, high = Estimate(0.6, 0.5, 0.7, 9), Estimate(0.6, 0.51, 0.7, 9)
    assert onset([high, low, high, high]) == 2
    assert onset([None, high, high]) == 1
    assert onset([high, high, low]) is None
    assert onset([high, None]) is None


def test_the_missing_concept_is_compared_with_the_one_that_is_there() -> None:
    records = [
        record("a", 0, "neglect", (0, 1)),
        record("a", 1, "neglect", (2, 0)),
        record("b", 0, "neglect", (0, 0)),  # which of them?
        record("b", 1),
    ]
    values = np.array([[[5.0, 1.0]], [[1.0, 4.0]], [[1.0, 9.0]], [[9.0, 1.0]]])  # (image, one step, concept)
    found = retention_study.missing_figures(records, {"faintness": values})
    assert found["images"] == 2
    assert found["measures"]["faintness"]["share"][0]["value"] == 1
    assert found["measures"]["faintness"]["difference"][0]["value"] == pytest.approx(3.5)
    assert retention_study.missing_figures(records[2:], {"faintness": values[2:]}) == {"images": 0, "measures": {}}
