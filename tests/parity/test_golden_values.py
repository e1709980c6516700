"""Losses against numbers that the authors' code, or a plain reading of the formula, gave on maps made from a seed.

The maps are those of a 16x16 grid, 5 sites x 8 heads, 77 tokens; tokens 2 and 5 are the concepts. Tolerance 1e-5
relative, or the digits that are known.
"""

import pytest
import torch
from torch import Tensor

from heedful.attention import Maps, gaussian_kernel
from heedful.guidance.methods import AttendAndExciteLoss, Retention, Segregation
from heedful.losses import Preparation, high_cells, text_softmax
from heedful.prompts import Concept, Prompt

PROMPT = Prompt(
    text="a cat and a dog",
    tokens=("<s>", "a", "cat", "and", "a", "dog", "</s>"),
    concepts=(Concept("cat", "cat", (2,)), Concept("dog", "dog", (5,))),
)
CAT = Prompt(PROMPT.text, PROMPT.tokens, PROMPT.concepts[:1])
RAW = Retention(prepare=Preparation(normalisation="none"))


def head_mean(seed: int) -> Tensor:
    """The recipe's 40 heads, averaged; -> (height, width, token)."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(40, 16, 16, 77, generator=generator) * 2).softmax(-1).mean(0)


@pytest.fixture(scope="module")
def maps() -> Maps:
    return Maps(head_mean(0).permute(2, 0, 1)[None])


def test_gaussian_of_the_reference_has_its_effective_sigma() -> None:
    kernel = gaussian_kernel(0.5)
    assert [float(kernel[1, 1]), float(kernel[0, 1]), float(kernel[0, 0])] == pytest.approx(
        [0.331911, 0.122103, 0.044919], rel=1e-5
    )


def test_true_gaussian_is_narrower() -> None:
    assert float(gaussian_kernel(0.5, convention="true")[1, 1]) == pytest.approx(0.619, abs=5e-4)


def test_attend_and_excite_peaks(maps: Maps) -> None:
    shares = Maps(text_softmax(maps, [PROMPT])).smooth(0.5)
    peaks = shares.group([PROMPT]).maps.amax((-2, -1))[0]
    assert peaks.tolist() == pytest.approx([0.2200894, 0.0563112], rel=1e-5)


def test_attend_and_excite(maps: Maps) -> None:
    assert float(AttendAndExciteLoss()(maps, [PROMPT])) == pytest.approx(0.9436888, rel=1e-5)


def test_segregation(maps: Maps) -> None:
    assert float(Segregation()(maps, [PROMPT])) == pytest.approx(0.3732962, rel=1e-5)


def test_segregation_of_identical_maps_is_one_half(maps: Maps) -> None:
    tokens = maps.tokens.clone()
    tokens[:, 5] = tokens[:, 2]
    assert float(Segregation()(Maps(tokens), [PROMPT])) == pytest.approx(0.5, rel=1e-6)


def test_retention_of_a_perfect_binary_map_is_one_half(maps: Maps) -> None:
    tokens = maps.tokens.clone()
    tokens[:, 2] = high_cells(maps.group([CAT]).maps)[:, 0].float()
    assert float(RAW(Maps(tokens), [CAT], maps)) == pytest.approx(0.5, rel=1e-6)


def test_retention_of_a_raw_map_is_nearly_one(maps: Maps) -> None:
    assert float(RAW(maps, [CAT], maps)) == pytest.approx(0.9805, abs=5e-5)


def test_losses_leave_the_maps_as_they_are(maps: Maps) -> None:
    before = maps.tokens.clone()
    (AttendAndExciteLoss() + Segregation() + Retention())(maps, [PROMPT], maps)
    assert maps.tokens.equal(before)
