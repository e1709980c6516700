"""A sheet of the embedded world: every class, coloured objects and pairs, made without guidance from one seed."""

from pathlib import Path

import torch

from heedful.attention import ImagePipeline
from heedful.files import write_atomic
from heedful.image_files import png_bytes
from heedful.report.grid import Grid, compose
from heedful.world import CLASSES

_COLOURED = (
    "a blue apple", "a purple backpack", "a yellow balloon", "a green bench", "a pink bow", "a brown bowl",
    "a orange car", "a red chair", "a black clock", "a white crown", "a gray glasses", "a green suitcase",
)  # fmt: skip
_PAIRS = (
    "a cat and a dog", "a bird and a lion", "a frog and a turtle", "a horse and a rabbit", "a cat and a blue clock",
    "a bear with a crown", "a elephant and a green balloon", "a monkey and a red car", "a red bench and a yellow clock",
    "a purple chair and a red bow", "a white car and a black bowl", "a green balloon and a pink bowl",
)  # fmt: skip


def sheet(pipe: ImagePipeline, path: Path, seed: int = 0, steps: int = 20) -> Path:
    """Generate the sheet, at guidance scale 3, and write it to `path`; return the path."""
    prompts = (*(f"a {name}" for name in CLASSES), *_COLOURED, *_PAIRS)
    pipe.set_progress_bar_config(disable=True)
    generators = [torch.Generator().manual_seed(seed) for _ in prompts]
    images = pipe(list(prompts), generator=generators, num_inference_steps=steps, guidance_scale=3.0).images
    cells = [images[start : start + 12] for start in range(0, len(images), 12)]
    names = ("animals", "objects, any colour", "objects in a colour", "pairs, not guided")
    drawing = compose(Grid(title=f"The embedded world, seed {seed}", columns=[""] * 12, rows=names, cells=cells))
    return write_atomic(path, png_bytes(drawing))
