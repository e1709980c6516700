"""Can a taught concept be put into an image that is there? Inpainting with what was taught, beside what was not.

    python benchmarks/teaching_inpainting.py --bfloat16 --pictures dog-glasses,elephant-car

Takes what `benchmarks/teaching.py` has taught into TEACHING, or teaches it. For each prompt for one concept alone, the
scene that it asks for is drawn exactly, without the taught thing; the square where that would stand is generated anew,
but for what is another thing's square.
"untouched" is that scene as it is, and "drawn-exactly" the scene with the thing.
"""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from PIL import Image, ImageDraw
from rich.console import Console
from teaching import taught
from teaching_answers import SAMPLING, described_texts, load_untaught, scene_of, with_placeholders
from teaching_figures import estimates, rows_of, seen_in
from teaching_variants import VARIANTS, Variant

from heedful.files import write_atomic
from heedful.guidance import NONE
from heedful.images import paint
from heedful.images.inpainting import Inpainting, inpainting_pipe
from heedful.prompts import Prompt
from heedful.world import DEFAULT, Item, render
from heedful.world.instances import InstanceImage, one_image_concepts

ROOM = 3
"""Pixels of the square around the thing."""


def main(
    pictures: Annotated[str, typer.Option(help="Names of training images, comma-separated.")],
    teaching: Annotated[Path, typer.Option(help="OUT of the teaching.")] = Path("out/teaching"),
    out: Annotated[Path, typer.Option(help="Folder of the records and the results.")] = Path("out/inpainting"),
    methods: Annotated[str, typer.Option(help="Comma-separated.")] = "disendiff,heedful,heedful-guided",
    bfloat16: Annotated[bool, typer.Option(help="Products in bfloat16, in teaching too.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 2,
) -> None:
    """Draw, inpaint, judge, compare."""
    torch.set_num_threads(threads)
    by_name = {photo.name: photo for photo in one_image_concepts()}
    records: dict[str, list[list[dict[str, Any]]]] = {}
    for name in pictures.split(","):
        rows = _untaught_rows(by_name[name])
        for method in methods.split(","):
            rows[method] = _taught_row(VARIANTS[method], by_name[name], teaching, out, bfloat16)
        for row, own in rows.items():
            records.setdefault(row, []).append(own)
    results = {name: estimates(own) for name, own in records.items()}
    write_atomic(out / "results.json", json.dumps(results, indent=1) + "\n")
    Console(width=200).print("\n".join(rows_of(results)), markup=False)


def _texts(photo: InstanceImage) -> list[str]:
    return [prompt.text for prompt in photo.prompts if len(prompt.nouns) == 1]


def _scenes(photo: InstanceImage) -> list[tuple[Inpainting, Image.Image]]:
    """Return for each prompt the scene without its taught thing and where that is to stand, and the whole scene."""
    rng = np.random.default_rng([*photo.name.encode()])
    found = []
    for text in _texts(photo):
        scene = scene_of(rng, photo, text)
        rest = replace(scene, items=tuple(item for item in scene.items if item.look is None))
        mask = Image.new("L", (scene.canvas, scene.canvas))
        for item in sorted(scene.items, key=lambda each: each.look is None):
            ImageDraw.Draw(mask).rectangle(_square(item), fill=0 if item.look is None else 255)
        found.append((Inpainting(image=Image.fromarray(render(rest)), mask=mask), Image.fromarray(render(scene))))
    return found


def _square(item: Item) -> tuple[int, int, int, int]:
    reach = item.size // 2 + (0 if item.look is None else ROOM)
    return item.x - reach, item.y - reach, item.x + reach, item.y + reach


def _untaught_rows(photo: InstanceImage) -> dict[str, list[dict[str, Any]]]:
    prompts = [Prompt.parse(text, with_placeholders(photo)) for text in _texts(photo)]
    scenes = _scenes(photo)
    pipe = load_untaught(DEFAULT)
    said = [Prompt.parse(text, pipe.tokenizer) for text in described_texts(photo, _texts(photo))]
    return {
        "untouched": seen_in([given.image for given, _ in scenes], prompts),
        "described": seen_in(_inpainted(pipe, said, photo, NONE), prompts),
        "drawn-exactly": seen_in([whole for _, whole in scenes], prompts),
    }


def _taught_row(
    variant: Variant, photo: InstanceImage, teaching: Path, out: Path, bfloat16: bool
) -> list[dict[str, Any]]:
    file = out / "records" / variant.name / f"{photo.name}.json"
    if file.exists():
        return json.loads(file.read_text())
    pipe, _ = taught(variant, photo, DEFAULT, teaching, {}, bfloat16)
    prompts = [Prompt.parse(text, pipe.tokenizer) for text in _texts(photo)]
    with torch.autocast("cpu", torch.bfloat16) if bfloat16 else nullcontext():
        row = seen_in(_inpainted(pipe, prompts, photo, variant.guidance), prompts)
    write_atomic(file, json.dumps(row, indent=1) + "\n")
    return row


def _inpainted(pipe: Any, prompts: list[Prompt], photo: InstanceImage, method: Any) -> list[Image.Image]:
    inpaints = inpainting_pipe(pipe)
    images: list[Image.Image] = []
    for index, (prompt, (given, _)) in enumerate(zip(prompts, _scenes(photo), strict=True)):
        images += paint(inpaints, replace(SAMPLING, inpainting=given), [prompt], method, [1000 * index]).images
    return images


if __name__ == "__main__":
    typer.run(main)
