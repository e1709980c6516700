"""Renders that training never drew, with their captions as prompts."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heedful.prompts import Prompt
from heedful.world.tokenizer import build_tokenizer

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="session")
def renders() -> list[Image.Image]:
    """100 pictures of 64x64 pixels, of 1 to 3 objects."""
    sheet = np.asarray(Image.open(DATA / "held_out_renders.png").convert("RGB"))
    return [Image.fromarray(each) for row in np.split(sheet, 10) for each in np.split(row, 10, axis=1)]


@pytest.fixture(scope="session")
def captions() -> list[Prompt]:
    """What they show, each object with its colour."""
    tokenizer = build_tokenizer()
    texts = json.loads((DATA / "held_out_renders.json").read_text(encoding="utf-8"))
    return [Prompt.parse(text, tokenizer) for text in texts]
