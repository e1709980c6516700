"""Do two taught folders work together? Each with its own prompts, and prompts that ask for a concept of each.

    python benchmarks/teaching_together.py --bfloat16 --pairs dog-glasses+bear-monkey,elephant-car+rabbit-cat

Takes what `benchmarks/teaching.py` has taught into TEACHING, or teaches it. For each pair of training images and each
method: the images' own prompts with one folder, the same with both, and ten prompts for each concept of the first with
each of the second. A method that writes the denoiser's own weights cannot do that, so a LoRA or words alone can.
For ONE_FOLDER the first concept of each image is taught from both photos into one folder instead, and asked for by the
ten prompts for these two.
"""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from teaching import taught
from teaching_answers import ANSWERS, SAMPLING, with_placeholders
from teaching_figures import estimates, rows_of, seen_in
from teaching_variants import VARIANTS, Variant

import heedful
from heedful.files import write_atomic
from heedful.image_files import read_image
from heedful.images import paint
from heedful.options import ClassImageOptions, TrainingOptions
from heedful.prompts import Prompt
from heedful.teaching import Photo
from heedful.world import DEFAULT
from heedful.world.instance_prompts import instance_prompts
from heedful.world.instances import InstanceImage, one_image_concepts

FIRST = 10
"""Prompts for each two concepts."""
Pair = tuple[InstanceImage, InstanceImage]
FLOORS = ("described", "drawn-exactly")
"""Rows that were taught nothing, from `benchmarks/teaching_answers.py`."""


def main(
    pairs: Annotated[str, typer.Option(help="Pairs of training images by name, ONE+OTHER, comma-separated.")],
    teaching: Annotated[Path, typer.Option(help="OUT of the teaching.")] = Path("out/teaching"),
    out: Annotated[Path, typer.Option(help="Folder of the records and the results.")] = Path("out/together"),
    methods: Annotated[str, typer.Option(help="Comma-separated.")] = "heedful-lora,heedful-lora-guided",
    one_folder: Annotated[
        str, typer.Option(help="Methods that teach the first of each into one folder, comma-separated.")
    ] = "heedful-lora,heedful,heedful-guided",
    bfloat16: Annotated[bool, typer.Option(help="Products in bfloat16, in teaching too.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 2,
) -> None:
    """Load, generate, judge, compare."""
    torch.set_num_threads(threads)
    by_name = {photo.name: photo for photo in one_image_concepts()}
    chosen: list[Pair] = [tuple(by_name[name] for name in pair.split("+")) for pair in pairs.split(",")]  # pyright: ignore[reportAssignmentType]
    records: dict[str, list[list[dict[str, Any]]]] = {}
    for pair in chosen:
        texts = _across(pair)
        for name in FLOORS:
            made = ANSWERS[name](_joined(pair), texts, 0, DEFAULT)
            prompts = [Prompt.parse(text, with_placeholders(*pair)) for text in texts]
            records.setdefault(f"{name}, one of each", []).append(seen_in(made, prompts))
        for name in methods.split(","):
            rows = _rows(VARIANTS[name], pair, texts, teaching, out, bfloat16)
            rows["the first of each"] = rows["one of each"][:FIRST]
            for title, own in rows.items():
                records.setdefault(f"{name}, {title}", []).append(own)
        for name in filter(None, one_folder.split(",")):
            own = _in_one_folder(VARIANTS[name], pair, texts[:FIRST], out, bfloat16)
            records.setdefault(f"{name}, the first of each, one folder", []).append(own)
    results = {name: estimates(own) for name, own in records.items()}
    write_atomic(out / "results.json", json.dumps(results, indent=1) + "\n")
    Console(width=200).print("\n".join(rows_of(results)), markup=False)


def _rows(
    variant: Variant, pair: Pair, texts: Sequence[str], teaching: Path, out: Path, bfloat16: bool
) -> dict[str, list[dict[str, Any]]]:
    """Return the records of a pair's images, by what they were asked for and with which folders."""
    file = out / "records" / variant.name / f"{'+'.join(photo.name for photo in pair)}.json"
    if file.exists():
        return json.loads(file.read_text())
    rows: dict[str, list[dict[str, Any]]] = {"own prompts, own folder": [], "own prompts, both folders": []}
    for photo in pair:
        pipe, _ = taught(variant, photo, DEFAULT, teaching, {}, bfloat16)
        rows["own prompts, own folder"] += _painted(pipe, variant, _own(photo), bfloat16)
    pipe = heedful.world.load()
    pipe.set_progress_bar_config(disable=True)
    adapters = []
    for photo in pair:
        folder = teaching / "taught" / (variant.taught_as or variant.name) / photo.name
        adapters.append(heedful.load_concepts(pipe, folder, adapter_name=photo.name).adapter)
    if None not in adapters:
        pipe.set_adapters(adapters)
    for photo in pair:
        rows["own prompts, both folders"] += _painted(pipe, variant, _own(photo), bfloat16)
    rows["one of each"] = _painted(pipe, variant, texts, bfloat16)
    write_atomic(file, json.dumps(rows, indent=1) + "\n")
    return rows


def _in_one_folder(
    variant: Variant, pair: Pair, texts: Sequence[str], out: Path, bfloat16: bool
) -> list[dict[str, Any]]:
    """Return the records of images for `texts`, by a model that learnt the first concept of each image at once."""
    name = "+".join(photo.name for photo in pair)
    file = out / "records" / f"{variant.name}-one-folder" / f"{name}.json"
    if file.exists():
        return json.loads(file.read_text())
    pipe = heedful.world.load()
    pipe.set_progress_bar_config(disable=True)
    phrases = [f"a {photo.instances[0].placeholder} {photo.instances[0].noun}" for photo in pair]
    heedful.teach(
        pipe,
        [Photo(image=read_image(photo.file), captions=(own,)) for photo, own in zip(pair, phrases, strict=True)],
        " and ".join(phrases),
        variant.method,
        out=out / "taught" / (variant.taught_as or variant.name) / name,
        class_images=ClassImageOptions(
            class_data_dir=out / "single_things" / name,
            class_steps=SAMPLING.steps,
            class_guidance_scale=SAMPLING.guidance_scale,
        ),
        training=TrainingOptions(mixed_precision="bf16" if bfloat16 else "no", checkpointing_steps=10_000),
    )
    row = _painted(pipe, variant, texts, bfloat16)
    write_atomic(file, json.dumps(row, indent=1) + "\n")
    return row


def _own(photo: InstanceImage) -> list[str]:
    return [prompt.text for prompt in photo.prompts]


def _across(pair: Pair) -> list[str]:
    """Return ten prompts for each concept of the first image with each of the second, unless both are of one class."""
    found: list[str] = []
    for index, (one, other) in enumerate(product(pair[0].instances, pair[1].instances)):
        if one.noun == other.noun:
            continue
        asked = instance_prompts({one.noun: one.look, other.noun: other.look}, 0, np.random.default_rng((index, 2)))
        for prompt in asked[:FIRST]:
            text = prompt.text
            for each in (one, other):
                text = text.replace(f"<{each.noun}0>", each.placeholder)
            found.append(text)
    return found


def _joined(pair: Pair) -> InstanceImage:
    return replace(pair[0], instances=(*pair[0].instances, *pair[1].instances))


def _painted(pipe: Any, variant: Variant, texts: Sequence[str], bfloat16: bool) -> list[dict[str, Any]]:
    prompts = [Prompt.parse(text, pipe.tokenizer) for text in texts]
    found: list[dict[str, Any]] = []
    with torch.autocast("cpu", torch.bfloat16) if bfloat16 else nullcontext():
        for start in range(0, len(texts), 10):
            some = prompts[start : start + 10]
            seeds = [1000 * (start + index) for index in range(len(some))]
            found += seen_in(paint(pipe, SAMPLING, some, variant.guidance, seeds).images, some)
    return found


if __name__ == "__main__":
    typer.run(main)
