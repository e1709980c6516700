import pytest
import torch
from PIL import Image

import heedful
from heedful import world
from heedful.attention import Maps
from heedful.errors import SettingsError
from heedful.prompts import Prompt
from heedful.scores import AttentionScore, WorldScore, evaluate
from heedful.steering.history import MapHistory
from heedful.world.tokenizer import build_tokenizer

PROMPT = Prompt.parse("a green crown and a yellow backpack", build_tokenizer())
CROWN, BACKPACK = (concept.token_indices[0] for concept in PROMPT.concepts)
NO_BOXES = AttentionScore(boxes=None)


def history(*steps: tuple[torch.Tensor, torch.Tensor], prompt: Prompt = PROMPT) -> MapHistory:
    """A run in which crown and backpack have these maps at each step."""
    kept = MapHistory([prompt])
    for crown, backpack in steps:
        tokens = torch.zeros(1, 16, *crown.shape)
        tokens[0, CROWN], tokens[0, BACKPACK] = crown, backpack
        kept.append(Maps(tokens))
    return kept


def half(side: str) -> torch.Tensor:
    """.5 in the left or right half of 4x4 cells."""
    cells = torch.zeros(4, 4)
    cells[:, slice(0, 2) if side == "left" else slice(2, 4)] = 0.5
    return cells


LEFT, RIGHT = half("left"), half("right")


def test_concepts_apart_share_nothing_and_are_even_confined_and_kept(renders: list[Image.Image]) -> None:
    values = NO_BOXES([renders[1]], [PROMPT], history((LEFT, RIGHT), (LEFT, RIGHT)))
    assert values["overlap"] == [0.0]
    assert values["retention"] == [1.0]
    assert values["evenness"] == [pytest.approx(1)]
    assert values["suppression_ratio"] == [0.0]
    assert values["pointing"] == [None]


def test_concepts_in_one_place_share_all(renders: list[Image.Image]) -> None:
    assert NO_BOXES([renders[1]], [PROMPT], history((LEFT, LEFT)))["overlap"] == [1.0]


def test_every_figure_is_the_mean_over_the_steps(renders: list[Image.Image]) -> None:
    values = NO_BOXES([renders[1]], [PROMPT], history((LEFT, RIGHT), (LEFT, LEFT), (LEFT, RIGHT), (LEFT, RIGHT)))
    assert values["overlap"] == [0.25]
    assert values["retention"] == [pytest.approx((3 + 1) / 6)]  # the backpack moves twice in three steps


def test_what_is_outside_the_own_area_is_not_suppressed(renders: list[Image.Image]) -> None:
    faint = LEFT + RIGHT / 5  # .5 in its own half, .1 in the other
    assert NO_BOXES([renders[1]], [PROMPT], history((faint, RIGHT)))["suppression_ratio"] == [
        pytest.approx((1 / 6 + 0) / 2)
    ]


def test_a_peak_points_at_its_object_or_not(renders: list[Image.Image]) -> None:
    """Of the second render, whose crown and backpack the world's detector finds once each."""
    (found,) = AttentionScore().boxes([renders[1]], [PROMPT])  # pyright: ignore[reportOptionalCall]
    maps = []
    for noun in ("crown", "backpack"):
        left, top, right, bottom = found[noun][0]
        cells = torch.zeros(16, 16)
        cells[int((top + bottom) * 8), int((left + right) * 8)] = 1.0
        maps.append(cells)
    right, swapped = (maps[0], maps[1]), (maps[1], maps[0])
    for steps, expected in (((right,), 1.0), ((swapped,), 0.0), ((right, swapped), 0.5), (((maps[0], maps[0]),), 0.5)):
        assert AttentionScore()([renders[1]], [PROMPT], history(*steps))["pointing"] == [expected]


def test_pointing_asks_only_images_that_hold_every_concept_once(renders: list[Image.Image]) -> None:
    assert AttentionScore()([renders[0]], [PROMPT], history((LEFT, RIGHT)))["pointing"] == [None]


def test_what_there_is_nothing_to_say_of_is_none(renders: list[Image.Image]) -> None:
    tokenizer = build_tokenizer()
    for text, missing in (("a red", set(NO_BOXES([], []))), ("a crown", {"overlap", "retention", "pointing"})):
        prompt = Prompt.parse(text, tokenizer)
        kept = MapHistory([prompt])
        kept.append(Maps(torch.rand(1, 16, 4, 4)))
        values = NO_BOXES([renders[0]], [prompt], kept)
        assert {name for name, (value,) in values.items() if value is None} == missing


def test_without_maps_it_says_where_they_come_from(renders: list[Image.Image]) -> None:
    for maps in (None, MapHistory([PROMPT])):
        with pytest.raises(SettingsError, match=r"maps=guided\.maps"):
            NO_BOXES([renders[0]], [PROMPT], maps)


def test_the_maps_of_a_run_are_scored_with_its_images() -> None:
    """Where the picture shows both concepts, the embedded model's maps mostly point at them."""
    pipe = world.load()
    pipe.set_progress_bar_config(disable=True)
    texts = ["a cat and a blue clock", "a bird with a crown", "a dog and a red car", "a frog and a green bench"]
    generators = [torch.Generator().manual_seed(seed) for seed in range(len(texts))]
    with heedful.guide(pipe, texts, heedful.methods.NONE) as guided:
        images = pipe(texts, num_inference_steps=10, guidance_scale=3.0, generator=generators).images
    values = evaluate(images, guided.maps.prompts, [WorldScore(), AttentionScore()], guided.maps)
    pointed = [value for value in values["attention.pointing"] if value is not None]
    assert pointed
    assert sum(pointed) / len(pointed) > 0.6
    assert all(0 < value < 1 for value in values["attention.overlap"] if value is not None)
