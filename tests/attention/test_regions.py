"""Masks from maps that are drawn by hand: what the rule promises, part by part."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from heedful.attention import Maps
from heedful.attention.regions import MaskRule, contest, without_specks
from heedful.errors import SettingsError
from heedful.guidance import MapHistory
from heedful.prompts import Prompt
from heedful.world.tokenizer import build_tokenizer

PROMPT = Prompt.parse("a cat and a blue clock", build_tokenizer())
CAT, CLOCK = (concept.token_indices[0] for concept in PROMPT.concepts)
ALONE = MaskRule(edges=False, propagation=0.0)
GREY = Image.new("RGB", (64, 64), (128, 128, 128))


def tokens(cat: torch.Tensor, clock: torch.Tensor) -> torch.Tensor:
    """One step's maps (token, height, width): what no concept takes is the start token's."""
    maps = torch.zeros(PROMPT.end + 1, *cat.shape)
    maps[CAT], maps[CLOCK] = cat, clock
    maps[0] = 1 - cat - clock
    return maps


def history(*steps: Maps) -> MapHistory:
    kept = MapHistory([PROMPT])
    for step in steps:
        kept.append(step)
    return kept


def block(rows: slice, columns: slice, value: float, ground: float = 0.01) -> torch.Tensor:
    one = torch.full((8, 8), ground)
    one[rows, columns] = value
    return one


CAT_MAP, CLOCK_MAP = block(slice(1, 4), slice(1, 4), 0.4), block(slice(5, 8), slice(4, 8), 0.1)
ONE_STEP = history(Maps(tokens(CAT_MAP, CLOCK_MAP)[None]))


def test_each_concept_gets_its_place_however_weakly_it_is_heeded() -> None:
    cat, clock = ALONE(ONE_STEP, [GREY])[0]
    assert cat.concept.name == "cat" and clock.concept.name == "blue clock"
    assert cat.mask[12:28, 12:28].all() and clock.mask[44:60, 36:60].all()
    assert not (cat.mask & clock.mask).any() and cat.mask[36:].sum() == 0
    assert cat.score > clock.score > 0.05


def test_late_steps_count_more() -> None:
    """The cat moves to another place; an average over all steps sees the first, which was longer."""
    early, late = tokens(CAT_MAP, CLOCK_MAP)[None], tokens(CAT_MAP.flip(1), CLOCK_MAP)[None]
    moving = history(*[Maps(early)] * 3, Maps(late))
    first, second = (replace(ALONE, lateness=lateness)(moving, [GREY])[0][0].mask for lateness in (0.0, 6.0))
    assert first[16, 16] and not first[16, 48]
    assert second[16, 48] and not second[16, 16]


def test_self_attention_carries_a_concept_to_the_cells_that_belong_together() -> None:
    """Only a corner of the cat is heeded, but all cells of it look at that corner."""
    corner = block(slice(1, 2), slice(1, 2), 0.4)
    looks = torch.eye(64).view(8, 8, 8, 8).clone()
    looks[1:4, 1:4] = 0
    looks[1:4, 1:4, 1, 1] = 1
    maps = Maps(tokens(corner, CLOCK_MAP)[None], looks.flatten(0, 1)[None])
    without = ALONE(history(maps), [GREY])[0][0].mask
    carried = replace(ALONE, propagation=1.0)(history(maps), [GREY])[0][0].mask
    assert not without[28, 28] and carried[28, 28] and not carried[28, 50]


def test_steps_without_self_attention_are_left_out_of_the_propagation() -> None:
    looks = torch.eye(64).view(1, 64, 8, 8)
    mixed = history(Maps(tokens(CAT_MAP, CLOCK_MAP)[None]), Maps(tokens(CAT_MAP, CLOCK_MAP)[None], looks))
    expected = ALONE(ONE_STEP, [GREY])[0]
    for rule in (replace(ALONE, propagation=0.5), replace(ALONE, propagation=1.0)):
        found = rule(mixed, [GREY])[0]
        assert all((one.mask == other.mask).all() for one, other in zip(found, expected, strict=True))


def test_masks_end_at_the_edges_of_the_picture() -> None:
    picture = np.full((64, 64, 3), 220, dtype=np.uint8)
    picture[10:34, 6:35] = (200, 30, 30)
    picture[42:64, 30:64] = (20, 30, 200)
    cat, clock = MaskRule(propagation=0.0)(ONE_STEP, [Image.fromarray(picture)])[0]
    truth = (picture == (200, 30, 30)).all(-1)
    loose = ALONE(ONE_STEP, [GREY])[0][0].mask
    assert (cat.mask & truth).sum() / (cat.mask | truth).sum() > 0.95 > (loose & truth).sum() / (loose | truth).sum()
    assert clock.mask[43:63, 31:63].mean() > 0.95


def test_masks_have_the_size_of_the_picture_whatever_its_shape() -> None:
    wide = history(Maps(tokens(CAT_MAP[:6], CLOCK_MAP[:6])[None]))
    for segment in MaskRule()(wide, [Image.new("RGB", (96, 72))])[0]:
        assert segment.mask.shape == (72, 96)


def test_a_prompt_without_concepts_has_no_segments() -> None:
    bare = MapHistory([Prompt.parse("cat", build_tokenizer(), [])])
    bare.append(Maps(torch.rand(1, 4, 8, 8)))
    assert MaskRule()(bare, [GREY]) == [[]]


def test_a_map_that_is_the_same_everywhere_gives_no_mask() -> None:
    flat = torch.full((8, 8), 0.1)
    assert [segment.mask.any() for segment in ALONE(history(Maps(tokens(flat, flat)[None])), [GREY])[0]] == [False] * 2


@given(st.integers(0, 1000))
def test_a_pixel_belongs_to_two_concepts_only_if_both_peak_there(seed: int) -> None:
    shares = torch.rand(3, 6, 7, generator=torch.Generator().manual_seed(seed))
    for border in ("middle", "otsu"):
        masks = contest(shares, border)
        peaks = shares == shares.amax((-2, -1), keepdim=True)
        assert (peaks & masks)[:, masks.sum(0) > 1].sum() == masks[:, masks.sum(0) > 1].sum()
        assert masks.any(0).any()
        order = torch.tensor([2, 0, 1])
        assert torch.equal(contest(shares[order], border), masks[order])


def test_specks_go_and_pieces_stay() -> None:
    mask = torch.zeros(2, 12, 12, dtype=torch.bool)
    mask[0, 1:6, 1:6] = True
    mask[0, 10, 10] = True  # a speck of 1 beside 25
    mask[0, 8:10, 1:3] = True  # a piece of 4
    mask[1, 0, 0] = mask[1, 1, 1] = True  # touch by corners
    kept = without_specks(mask)
    assert not kept[0, 10, 10] and kept[0].sum() == 29 and kept[1].sum() == 2


@pytest.mark.parametrize("wrong", [{"elsewhere": 0.0}, {"propagation": 1.5}, {"softness": 0.0}])
def test_impossible_rules_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="Expected elsewhere and softness above 0"):
        MaskRule(**wrong)


def test_text_without_a_start_token_is_refused() -> None:
    kept = MapHistory([replace(PROMPT, has_start=False)])
    kept.append(Maps(tokens(CAT_MAP, CLOCK_MAP)[None]))
    with pytest.raises(SettingsError, match=r"start token.*T5"):
        ALONE(kept, [GREY])
