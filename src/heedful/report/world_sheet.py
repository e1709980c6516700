"""Sheets of an embedded model, made without guidance from one seed: of all that it knows, and for its card."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from heedful.attention import ImagePipeline
from heedful.files import write_atomic
from heedful.image_files import png_bytes
from heedful.report.grid import Grid, compose
from heedful.world import ANIMALS, CLASSES

_COLOURED = (
    "a blue apple", "a purple backpack", "a yellow balloon", "a green bench", "a pink bow", "a brown bowl",
    "a orange car", "a red chair", "a black clock", "a white crown", "a gray glasses", "a green suitcase",
)  # fmt: skip
_PAIRS = (
    "a cat and a dog", "a bird and a lion", "a frog and a turtle", "a horse and a rabbit", "a cat and a blue clock",
    "a bear with a crown", "a elephant and a green balloon", "a monkey and a red car", "a red bench and a yellow clock",
    "a purple chair and a red bow", "a white car and a black bowl", "a green balloon and a pink bowl",
)  # fmt: skip
_GAP = 8  # pixels between the images of a card
_THINGS = CLASSES[len(ANIMALS) :]
CARD_ROWS = (
    (*(f"a {name}" for name in (*ANIMALS[:2], *_THINGS[:2])), *_COLOURED[:2]),
    _PAIRS[::2],
)
"""The prompts of a card's two rows: the first of each kind of single concept, and every other pair."""


def sheet(pipe: ImagePipeline, path: Path, seed: int = 0, steps: int = 20) -> Path:
    """Generate the sheet, at guidance scale 3, and write it to `path`; return the path."""
    prompts = (*(f"a {name}" for name in CLASSES), *_COLOURED, *_PAIRS)
    images = _made(pipe, prompts, seed, steps)
    cells = [images[start : start + 12] for start in range(0, len(images), 12)]
    names = ("animals", "objects, any colour", "objects in a colour", "pairs, not guided")
    drawing = compose(Grid(title=f"The embedded world, seed {seed}", columns=[""] * 12, rows=names, cells=cells))
    return write_atomic(path, png_bytes(drawing))


def card_sheet(pipe: ImagePipeline, path: Path, seed: int = 0, steps: int = 20) -> Path:
    """Generate `CARD_ROWS`, at guidance scale 3, and write them to `path` as a small PNG; return the path.

    Pixels are doubled, and 256 colours are kept, so that the file is small enough to lie beside the weights.
    """
    images = _made(pipe, [prompt for row in CARD_ROWS for prompt in row], seed, steps)
    width, height = images[0].size
    columns = len(CARD_ROWS[0])
    drawing = Image.new("RGB", (columns * (width + _GAP) - _GAP, len(CARD_ROWS) * (height + _GAP) - _GAP), "white")
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        drawing.paste(image, (column * (width + _GAP), row * (height + _GAP)))
    doubled = drawing.resize((2 * drawing.width, 2 * drawing.height), Image.Resampling.NEAREST)
    return write_atomic(path, png_bytes(doubled.quantize(256, dither=Image.Dither.NONE)))


def _made(pipe: ImagePipeline, prompts: Sequence[str], seed: int, steps: int) -> list[Image.Image]:
    """Return an image of each prompt, all from the same noise."""
    pipe.set_progress_bar_config(disable=True)
    generators = [torch.Generator().manual_seed(seed) for _ in prompts]
    return pipe(list(prompts), generator=generators, num_inference_steps=steps, guidance_scale=3.0).images
