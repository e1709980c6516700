"""What every score promises: one value per image, in its range, whatever company the image is in."""

import pickle
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from heedful import cite
from heedful.attention import Maps
from heedful.prompts import Prompt
from heedful.references import BIBTEX
from heedful.scores import SCORES, Original, OwlBoxes, Score, Values, WorldBoxes, evaluate
from heedful.steering.history import MapHistory
from heedful.world.instances import one_image_concepts
from heedful.world.tokenizer import build_tokenizer
from tests.score_models import caption_folder, clip_folder, dino_folder, owl_folder, vqa_folder

pytestmark = pytest.mark.filterwarnings("ignore:The judge of the embedded model does not know:UserWarning")

DATA = Path(__file__).parents[1] / "data"
TEXTS = (
    "a brown bow",  # of this and the next the first two renders are made
    "a green crown and a yellow backpack",
    "a dog and a dog",
    "a red",
    "a cat with a crown",
    "a frog and a blue clock",
    "a <cat1> cat and a <dog1> dog",  # of this and the next the images are those that two looks are taught from
    "a <cat1> cat and a dog on a green background",
)
STEPS, CELLS = 3, 4
HELD_OUT = 4
"""How many of the images are renders; two others are noise of other sizes."""


@pytest.fixture(scope="module")
def images() -> list[Image.Image]:
    renders = np.asarray(Image.open(DATA / "held_out_renders.png").convert("RGB"))
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (height, 48, 3), dtype=np.uint8) for height in (40, 96)]
    arrays = [renders[:64, 64 * place : 64 * place + 64] for place in range(HELD_OUT)] + noise
    taught = [Image.open(each.file).convert("RGB") for each in one_image_concepts()[:2]]
    return [Image.fromarray(np.ascontiguousarray(each)) for each in arrays] + taught


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    tokenizer = build_tokenizer()
    return [Prompt.parse(text, tokenizer) for text in TEXTS]


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory, images: list[Image.Image]) -> dict[str, Score]:
    """Every score that the command line knows; those of real pictures with tiny models."""
    folder = tmp_path_factory.mktemp("models")
    images[0].save(folder / "original.png")
    clip, whole = str(clip_folder(folder / "clip")), Original(image=folder / "original.png")
    part = Original(image=folder / "original.png", concept="bow", box=(0.0, 0.0, 0.5, 0.5))
    boxes = OwlBoxes(model=str(owl_folder(folder / "owl")))
    arguments: dict[str, dict[str, Any]] = {
        "clip-b16": {"model": clip},
        "clip-image": {"originals": (whole, part), "boxes": WorldBoxes()},
        "clip-image-b32": {"originals": (whole, part), "model": clip},
        "dino": {
            "originals": (whole, part),
            "boxes": WorldBoxes(),
            "model": str(dino_folder(folder / "dino")),
        },
        "blip-caption": {"captioner": str(caption_folder(folder / "caption")), "model": clip, "longest": 14},
        "blip-vqa": {"model": str(vqa_folder(folder / "vqa"))},
        "owl": {"boxes": boxes, "colour_model": clip},
    }
    return {name: make(**arguments.get(name, {})) for name, make in SCORES.items()}


@pytest.fixture(scope="module")
def take(
    scores: dict[str, Score], images: list[Image.Image], prompts: list[Prompt]
) -> Callable[[str, list[int]], Values]:
    """A score of some of the images, in the order of `items`, with the maps of these and no others."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.rand(STEPS, len(TEXTS), 16, CELLS, CELLS, generator=generator).softmax(dim=2)

    def taken(name: str, items: list[int]) -> Values:
        chosen = [prompts[item] for item in items]
        history = MapHistory(chosen)
        for step in tokens:
            history.append(Maps(step[items]))
        return evaluate([images[item] for item in items], chosen, [scores[name]], history)

    return taken


@pytest.mark.parametrize("name", SCORES)
def test_every_image_gets_one_value_in_the_stated_range(name: str, scores: dict[str, Score], take: Any) -> None:
    values = take(name, list(range(len(TEXTS))))
    assert tuple(values) == scores[name].columns
    for figure, column in zip(scores[name].figures, values.values(), strict=True):
        assert len(column) == len(TEXTS)
        assert any(value is not None for value in column), f"{figure.name} says nothing of any image"
        assert all(value is None or figure.low <= value <= figure.high for value in column)


@pytest.mark.parametrize("name", SCORES)
@settings(max_examples=6)
@given(items=st.lists(st.integers(0, len(TEXTS) - 1), min_size=1, max_size=len(TEXTS)))
def test_the_value_of_an_image_does_not_depend_on_its_company(name: str, take: Any, items: list[int]) -> None:
    together = take(name, items)
    for place, item in enumerate(items):
        alone = take(name, [item])
        for figure, (value,) in alone.items():
            assert together[figure][place] == (value if value is None else pytest.approx(value, abs=1e-4))


@pytest.mark.parametrize("name", SCORES)
def test_different_images_get_different_values(name: str, take: Any) -> None:
    values = take(name, list(range(len(TEXTS))))
    assert any(len(set(column) - {None}) > 1 for column in values.values())


@pytest.mark.parametrize("name", SCORES)
def test_no_images_get_no_values(name: str, scores: dict[str, Score]) -> None:
    values = evaluate([], [], [scores[name]])
    assert values == {column: [] for column in scores[name].columns}


@pytest.mark.parametrize("name", SCORES)
def test_a_score_says_what_it_is(name: str, scores: dict[str, Score]) -> None:
    score = scores[name]
    assert all(figure.says and figure.low < figure.high for figure in score.figures)
    assert set(score.citations) <= set(BIBTEX)
    assert all(key in cite(score) for key in score.citations)
    for setting in fields(score):
        assert f"{setting.name}={getattr(score, setting.name)!r}" in repr(score)


@pytest.mark.parametrize("name", SCORES)
def test_a_score_is_data(name: str, scores: dict[str, Score]) -> None:
    """It can be a key and can be sent to another process, because no model is part of it."""
    copied = pickle.loads(pickle.dumps(scores[name]))
    assert copied == scores[name]
    assert hash(copied) == hash(scores[name])
