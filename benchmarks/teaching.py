"""What is learnt from one image? Every teaching method on the same images, prompts and noise, with intervals.

    python benchmarks/teaching.py --bfloat16 --images 10                              # the reported table
    python benchmarks/teaching.py --bfloat16 --images 10 --methods disendiff,ablations --seeds 2
    python benchmarks/teaching.py --bfloat16 --skip 10 --seeds 1                      # the twenty that nobody tuned on
    python benchmarks/teaching.py --bfloat16 --skip 10 --seeds 1 --model crowded
    python benchmarks/teaching.py --bfloat16 --three --methods custom-diffusion,disendiff,heedful
    python benchmarks/teaching.py --methods answers --seeds 2 --images 10              # floors and ceilings
    python benchmarks/teaching.py --bfloat16 --pictures frog-monkey,car-clock --seeds 1 --methods disendiff,heedful
    python benchmarks/teaching.py --bfloat16 --images 2 --seeds 2 --methods disendiff --set learning_rate=3e-3  # tuning

Teaches into OUT/taught/METHOD/IMAGE, generates the suite `one-image-concepts` for each image, and writes a record per
image to OUT/records/METHOD/IMAGE.jsonl; a killed run goes on. Prints the tables and writes OUT/results.json. What
another model than `sprites` learns lies in a folder of its own, OUT/MODEL. `joint` learns words and LoRA alone,
and its text encoder has no room for a scale: --methods disendiff-lora --set "augmentation='flip'".
"""

import ast
import json
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import torch
import typer
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from teaching_answers import SAMPLING, with_placeholders
from teaching_figures import FIGURES, differences, estimates, rows_of
from teaching_variants import GROUPS, VARIANTS, Variant

import heedful
from heedful.attention import find_denoiser
from heedful.bench.suites import find_suite
from heedful.files import write_atomic
from heedful.image_files import read_image
from heedful.images import paint
from heedful.options import ClassImageOptions, TeachingOptions, TrainingOptions
from heedful.prompts import Prompt
from heedful.scores import instance_originals
from heedful.scores.clip import ClipImage, ClipText
from heedful.scores.instance import InstanceScore
from heedful.teaching import Callbacks, Photo, teach
from heedful.teaching.concepts import class_prompt
from heedful.world.embedded import DEFAULT, WORLDS
from heedful.world.instances import InstanceImage, one_image_concepts, one_image_concepts_three

RIVALS = ("custom-diffusion", "disendiff")
"""Methods that all others are held against."""


def main(
    out: Annotated[Path, typer.Option(help="Folder of the records and the results.")] = Path("out/teaching"),
    methods: Annotated[
        str, typer.Option(help="Comma-separated; 'answers', 'ablations', 'parts' and 'beyond' stand for several.")
    ] = "answers,textual-inversion,dreambooth,custom-diffusion,disendiff,heedful",
    seeds: Annotated[int, typer.Option(help="Samples of each prompt.")] = 10,
    images: Annotated[int | None, typer.Option(help="How many images; all thirty unless given.")] = None,
    skip: Annotated[int, typer.Option(help="Leave out so many; 10 leaves those that nobody tuned on.")] = 0,
    pictures: Annotated[
        str | None, typer.Option(help="Their names, comma-separated, instead of the first ones.")
    ] = None,
    three: Annotated[bool, typer.Option(help="The three images with three instances.")] = False,
    model: Annotated[str, typer.Option(help=f"An embedded model: {', '.join(WORLDS)}.")] = DEFAULT,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of the settings, for every method; for tuning.")
    ] = None,
    bfloat16: Annotated[bool, typer.Option(help="Products in bfloat16, in teaching too.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 2,
) -> None:
    """Teach, generate, judge, compare."""
    torch.set_num_threads(threads)
    if model not in WORLDS:
        raise typer.BadParameter(f"expected {', '.join(WORLDS)}, got {model}")
    out = out if model == DEFAULT else out / model
    photos = (one_image_concepts_three() if three else one_image_concepts())[skip:][:images]
    if pictures is not None:
        by_name = {photo.name: photo for photo in photos}
        if unknown := [name for name in pictures.split(",") if name not in by_name]:
            raise typer.BadParameter(f"expected {', '.join(by_name)}, got {unknown[0]}")
        photos = [by_name[name] for name in pictures.split(",")]
    told = {name: ast.literal_eval(value) for name, value in (each.split("=", 1) for each in changes or [])}
    chosen = [one for name in methods.split(",") for one in _named(name)]
    records: dict[str, list[list[dict[str, Any]]]] = {}
    with Progress(*Progress.get_default_columns()[:1], BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as bar:
        for variant in chosen:
            task = bar.add_task(variant.name, total=len(photos))
            records[variant.name] = []
            for photo in photos:
                records[variant.name].append(_records(variant, photo, model, seeds, out, told, bfloat16))
                bar.advance(task)
    results = {name: _row(name, records) for name in records}
    write_atomic(out / "results.json", json.dumps(results, indent=1) + "\n")
    Console(width=200).print("\n".join(_tables(results)), markup=False)


def _named(name: str) -> Sequence[Variant]:
    if name in GROUPS:
        return list(GROUPS[name].values())
    if name not in VARIANTS:
        raise typer.BadParameter(f"expected {', '.join([*VARIANTS, *GROUPS])}, got {name}")
    return [VARIANTS[name]]


def _records(
    variant: Variant, photo: InstanceImage, model: str, seeds: int, out: Path, told: dict[str, Any], bfloat16: bool
) -> list[dict[str, Any]]:
    """Return a record for each prompt and seed of an image, from the file where they stand already."""
    file = out / "records" / variant.name / f"{photo.name}.jsonl"
    found = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    done = {record["seed"] for record in found}
    missing = [seed for seed in range(seeds) if seed not in done]
    if missing:
        pipe, seconds = (None, 0.0) if variant.answer else taught(variant, photo, model, out, told, bfloat16)
        for seed in missing:
            found += _judged(pipe, variant, photo, model, seed, seconds, bfloat16)
            write_atomic(file, "".join(json.dumps(record) + "\n" for record in found))
    return [record for record in found if record["seed"] < seeds]


def taught(
    variant: Variant, photo: InstanceImage, model: str, out: Path, told: dict[str, Any], bfloat16: bool
) -> tuple[Any, float]:
    """Return a pipeline that has learnt the concepts of an image, and how long the steps took."""
    pipe = heedful.world.load(model)
    pipe.set_progress_bar_config(disable=True)
    times: list[float] = []
    composes = variant.method.settings_for(find_denoiser(pipe), TeachingOptions(**told)).composites > 0
    teach(
        pipe,
        _shown(photo, variant),
        photo.prompt,
        variant.method,
        out=out / "taught" / (variant.taught_as or variant.name) / photo.name,
        settings=TeachingOptions(**told),
        # every method is shown the same class images, but for composites, which are made of others
        class_images=ClassImageOptions(
            class_data_dir=out / ("single_things" if composes else "class_images") / photo.name,
            class_prompt=() if composes else (class_prompt(photo.prompt),),
            class_steps=SAMPLING.steps,
            class_guidance_scale=SAMPLING.guidance_scale,
        ),
        training=TrainingOptions(mixed_precision="bf16" if bfloat16 else "no", checkpointing_steps=10_000),
        callbacks=Callbacks(on_step=lambda step, steps, losses: times.append(time.perf_counter())),
    )
    return pipe, times[-1] - times[0] if times else 0.0


def _shown(photo: InstanceImage, variant: Variant) -> Photo:
    masks = {each.placeholder: read_image(each.mask) for each in photo.instances} if variant.has_masks else {}
    return Photo(image=read_image(photo.file), regions=masks)


def painted(
    pipe: Any, variant: Variant, photo: InstanceImage, model: str, seed: int, bfloat16: bool
) -> tuple[Sequence[Image.Image], list[Prompt]]:
    """Return an image for each prompt of a training image, and these prompts."""
    lines = find_suite(f"one-image-concepts{'-three' * (len(photo.instances) == 3)}/{photo.name}").lines
    tokenizer = pipe.tokenizer if variant.answer is None else with_placeholders(photo)
    prompts = [Prompt.parse(line.prompt, tokenizer, line.concepts) for line in lines]
    noises = [1000 * index + seed for index in range(len(lines))]
    with torch.autocast("cpu", torch.bfloat16) if bfloat16 else nullcontext():
        if variant.answer is not None:
            return variant.answer(photo, [line.prompt for line in lines], seed, model), prompts
        return paint(pipe, SAMPLING, prompts, variant.guidance, noises).images, prompts


def _judged(
    pipe: Any, variant: Variant, photo: InstanceImage, model: str, seed: int, seconds: float, bfloat16: bool
) -> list[dict[str, Any]]:
    """Return the records of one image for each prompt of a training image."""
    images, prompts = painted(pipe, variant, photo, model, seed, bfloat16)
    judged: dict[str, list[Any]] = dict(InstanceScore()(images, prompts))
    judged["text"] = ClipText()(images, prompts)["text"]
    judged["image"] = [None] * len(prompts)
    nouns = [each.nouns for each in photo.prompts]
    for group in set(nouns):
        indices = [index for index, own in enumerate(nouns) if own == group]
        alike = ClipImage(originals=instance_originals(photo, group), boxes=None)
        values = alike([images[index] for index in indices], [prompts[index] for index in indices])["image"]
        for index, value in zip(indices, values, strict=True):
            judged["image"][index] = value
    return [
        {"prompt": prompt.text, "nouns": own, "seed": seed, "teaching_seconds": round(seconds, 1)}
        | {name: judged[name][index] for name in FIGURES}
        for index, (prompt, own) in enumerate(zip(prompts, nouns, strict=True))
    ]


def _row(name: str, records: dict[str, list[list[dict[str, Any]]]]) -> dict[str, Any]:
    own = records[name]
    most = max(len(record["nouns"]) for record in own[0])
    row: dict[str, Any] = estimates(own)
    row["together"] = estimates(own, most)
    row["alone"] = estimates(own, 1)
    row["teaching_seconds"] = median(each[0]["teaching_seconds"] for each in own)
    for other in RIVALS:
        if name != other and other in records:
            row[f"over_{other}"] = differences(own, records[other])
    return row


def _tables(results: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for title, part in (("all prompts", None), ("all concepts together", "together"), ("one concept alone", "alone")):
        lines += [f"**{title}**", *rows_of({name: row if part is None else row[part] for name, row in results.items()})]
    for other in RIVALS:
        own = {name: row[f"over_{other}"] for name, row in results.items() if f"over_{other}" in row}
        lines += [f"**less {other}**", *rows_of(own, "+")] if own else []
    return lines


if __name__ == "__main__":
    typer.run(main)
