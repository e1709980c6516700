"""Losses about attributes against numbers that the authors' code, or a plain reading of the formula, gave.

The maps are those of tests/parity/test_golden_values.py: a 16x16 grid, 5 sites x 8 heads, 77 tokens. Words 1 .. 7;
tokens 1 and 4 modify the nouns 2 and 5. Tolerance 1e-5 relative, or the digits that are known.
"""

import pytest
import torch

from heedful.attention import Maps
from heedful.guidance.methods import EbamaLoss, SynGenLoss
from heedful.prompts import Concept, Modifier, Prompt
from heedful.teaching.methods import Bind, SeparateAndStrengthen

PROMPT = Prompt(
    text="red cat and blue dog of mine",
    tokens=("<s>", "red", "cat", "and", "blue", "dog", "of", "mine", "</s>"),
    concepts=(
        Concept("red cat", "cat", (2,), (Modifier("red", (1,)),)),
        Concept("blue dog", "dog", (5,), (Modifier("blue", (4,)),)),
    ),
)
FIRST, SECOND = (Prompt(PROMPT.text, PROMPT.tokens, (concept,)) for concept in PROMPT.concepts)
SELF = Prompt(PROMPT.text, PROMPT.tokens, (PROMPT.concepts[0], PROMPT.concepts[0]))


@pytest.fixture(scope="module")
def maps() -> Maps:
    generator = torch.Generator().manual_seed(0)
    mean = (torch.randn(40, 16, 16, 77, generator=generator) * 2).softmax(-1).mean(0)
    return Maps(mean.permute(2, 0, 1)[None])


def test_syngen(maps: Maps) -> None:
    assert float(SynGenLoss(push=0.0)(maps, [PROMPT])) == pytest.approx(0.5198437, rel=1e-5)
    assert float(SynGenLoss(pull=0.0)(maps, [PROMPT])) == pytest.approx(-0.4765180, rel=1e-5)
    assert float(SynGenLoss()(maps, [PROMPT])) == pytest.approx(0.5198437 - 0.4765180, rel=1e-5)


def test_ebama_with_kl(maps: Maps) -> None:
    pull = EbamaLoss(distance="kl", push=0.0, intensity=0.0)
    push = EbamaLoss(distance="kl", pull=0.0, intensity=0.0)
    assert float(pull(maps, [PROMPT])) == pytest.approx(0.5198437, rel=1e-5)
    assert float(push(maps, [PROMPT])) == pytest.approx(-0.4616170, rel=1e-5)


def test_ebama_with_cosine(maps: Maps) -> None:
    assert float(EbamaLoss(push=0.0, intensity=0.0)(maps, [PROMPT])) == pytest.approx(0.4551943, rel=1e-5)
    assert float(EbamaLoss(pull=0.0, intensity=0.0)(maps, [PROMPT])) == pytest.approx(-0.4129604, rel=1e-5)


def test_ebama_intensity_is_half_the_sum_of_the_peaks(maps: Maps) -> None:
    """The peaks of Attend-and-Excite, whose golden values are known."""
    loss = EbamaLoss(pull=0.0, push=0.0)
    assert float(loss(maps, [PROMPT])) == pytest.approx(-0.5 * (0.2200894 + 0.0563112), rel=1e-5)


def test_disendiff_bind(maps: Maps) -> None:
    assert float(Bind()(maps, [FIRST])) == pytest.approx(0.9627202, rel=1e-5)
    assert float(Bind()(maps, [SECOND])) == pytest.approx(0.9141798, rel=1e-5)


def test_disendiff_separate_and_strengthen(maps: Maps) -> None:
    assert float(SeparateAndStrengthen()(maps, [PROMPT])) == pytest.approx(0.0527903, rel=1e-5)


def test_disendiff_total(maps: Maps) -> None:
    total = 0.01 * Bind() + 0.01 * SeparateAndStrengthen()
    assert float(total(maps, [PROMPT])) == pytest.approx(0.0192969, rel=1e-5)


def test_disendiff_soft_map_is_not_like_itself(maps: Maps) -> None:
    assert float(SeparateAndStrengthen()(maps, [SELF])) == pytest.approx(0.0907, abs=5e-5)


def test_maps_stay_as_they_are(maps: Maps) -> None:
    before = maps.tokens.clone()
    (SynGenLoss() + EbamaLoss() + Bind() + SeparateAndStrengthen())(maps, [PROMPT])
    assert maps.tokens.equal(before)
