"""The detector and the CLIP on 100 renders that training never drew, kept as a picture so that no font is needed.

`tests/data/held_out_renders.png` holds 10 x 10 scenes of 1 to 3 objects from seed 99 000 000, the JSON beside it their
captions, each naming every object with its colour.
"""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPModel, CLIPProcessor

from heedful import world
from heedful.errors import ModelNotFound
from heedful.scores.embedding import embed_images, embed_texts
from heedful.world.detector import NATURAL
from heedful.world.judge import expectations, judge

DATA = Path(__file__).parents[1] / "data"
CAPTIONS = json.loads((DATA / "held_out_renders.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    sheet = np.asarray(Image.open(DATA / "held_out_renders.png").convert("RGB"))
    return sheet.reshape(10, 64, 10, 64, 3).transpose(0, 2, 1, 3, 4).reshape(100, 64, 64, 3)


def test_the_detector_names_what_the_renders_hold(pictures: np.ndarray) -> None:
    found = world.load_detector()(pictures)
    right = Counter()
    for caption, detections in zip(CAPTIONS, found, strict=True):
        truth = sorted((each.name, each.colour or NATURAL) for each in expectations(caption))
        right["exact"] += truth == sorted((each.name, each.colour) for each in detections)
        right["count"] += len(truth) == len(detections)
        right["success"] += judge(caption, detections).success
    assert right["count"] >= 99
    assert right["exact"] >= 98
    assert right["success"] >= 97


def test_the_clip_finds_the_picture_among_100(pictures: np.ndarray) -> None:
    model, processor = world.load_clip()
    images = embed_images(model, processor, [Image.fromarray(picture) for picture in pictures])
    scores = images @ embed_texts(model, processor, CAPTIONS).T
    assert float((scores.argmax(0) == torch.arange(100)).double().mean()) >= 0.95


def test_the_clip_sees_swapped_colours() -> None:
    model, processor = world.load_clip()
    sheet = Image.open(DATA / "held_out_renders.png").convert("RGB")
    swaps = []
    for index, caption in enumerate(CAPTIONS):
        named = expectations(caption)
        if len(named) == 2 and None not in (colours := [each.colour for each in named]) and colours[0] != colours[1]:
            left, top = index % 10 * 64, index // 10 * 64
            swapped = f"a {colours[1]} {named[0].name} and a {colours[0]} {named[1].name}"
            picture = embed_images(model, processor, [sheet.crop((left, top, left + 64, top + 64))])
            texts = embed_texts(model, processor, [caption, swapped])
            right, wrong = (picture @ texts.T)[0].tolist()
            swaps.append(right > wrong)
    assert len(swaps) >= 5
    assert sum(swaps) >= 0.8 * len(swaps)


def test_it_is_an_ordinary_clip() -> None:
    folder = str(world.WEIGHTS / "clip")
    model, processor = CLIPModel.from_pretrained(folder), CLIPProcessor.from_pretrained(folder)
    inputs = processor(
        text=["a cat", "a red bowl"], images=[Image.new("RGB", (80, 64))], return_tensors="pt", padding=True
    )
    assert model.float()(**inputs).logits_per_image.shape == (1, 2)


def test_a_folder_without_a_clip_says_how_to_train_one(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="heedful world train"):
        world.load_clip(tmp_path)
