"""Does guidance cost quality? Pairs of images of one noise that are both right, with and without it.

    python benchmarks/quality.py --bfloat16                      # measures, and draws the pairs
    python benchmarks/quality.py --preferences FILE              # what a looker preferred, in words and an interval

Failures are no question here: only pairs count in which the judge calls both images right, so what differs is how well
things are made. Of each image: the detector's mean confidence in its concepts; their mean distance to the nearest clean
render (needs the emoji font); the area of their boxes; and the cosine of the world's own CLIP with the prompt. Writes
OUT/pairs-NN.png, where chance decides which image stands left, and OUT/key.json, which says it. A looker writes a list
of "left", "right" and "equal", one per pair, into a JSON file. Seeds are 800 and up, which chose no setting.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from PIL import Image, ImageDraw, ImageFont

import heedful
from heedful.errors import SettingsError
from heedful.files import make_folder, write_atomic
from heedful.guidance import METHODS, guide
from heedful.image_files import png_bytes
from heedful.lab.by_prompt import ByPrompt
from heedful.lab.nearest_render import RenderSearch
from heedful.lab.trial import Trial, sample_cases
from heedful.prompts import Prompt
from heedful.report.markdown import table, with_interval
from heedful.scores import SHARE, ClipText, Estimate
from heedful.world import Detection, expectations, font_is_installed, judge
from heedful.world.tokenizer import build_tokenizer
from heedful.world.vocabulary import split_prompts

FIGURES = {
    "confidence": "confidence of the detector",
    "distance": "distance to the nearest render",
    "area": "area of a concept, pixels",
    "text": "cosine with the prompt",
}
LINES, COLUMNS, SCALE = 5, 4, 2
SIDES = ("left", "right", "equal")


def main(
    out: Annotated[Path, typer.Option(help="Folder of the pairs and figures.")] = Path("out/quality"),
    model: Annotated[str, typer.Option(help="An embedded model by name, or a folder with one.")] = "sprites",
    method: Annotated[str, typer.Option(help="What is compared with plain sampling.")] = "heedful",
    pairs: Annotated[int, typer.Option(help="How many.")] = 100,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 2,
    bfloat16: Annotated[bool, typer.Option(help="Products in bfloat16.")] = False,
    preferences: Annotated[Path | None, typer.Option(help="A looker's list; nothing is generated.")] = None,
) -> None:
    """Generate, judge, measure, draw; or read what a looker preferred."""
    if preferences is not None:
        typer.echo(read_preferences(json.loads((out / "key.json").read_text()), json.loads(preferences.read_text())))
        return
    torch.set_num_threads(threads)
    make_folder(out)
    found = _pairs(model, method, pairs, bfloat16)
    measured = [{name: _measures(one) for name, one in pair["images"].items()} for pair in found]
    by_prompt = ByPrompt([pair["prompt"] for pair in found])
    lines = []
    for figure, meaning in FIGURES.items():
        values = {name: np.array([one[name][figure] for one in measured]) for name in ("none", method)}
        both = [by_prompt.mean(values["none"]), by_prompt.mean(values[method])]
        lines.append(
            [meaning, *(f"{one.value:.3f}" if one else "" for one in both), _difference(by_prompt, values, method)]
        )
    typer.echo("\n".join(table(["", "none", method, "difference [95 %]"], lines)))
    _draw(found, method, out)


def _difference(by_prompt: ByPrompt, values: dict[str, np.ndarray], method: str) -> str:
    found = by_prompt.mean(values[method] - values["none"])
    return "" if found is None else with_interval(vars(found))


def _pairs(model: str, method: str, wanted: int, bfloat16: bool) -> list[dict[str, Any]]:
    """Return pairs of images of one noise that are both right, of prompts of the report half in turns."""
    pipe, detector = heedful.world.load(model), heedful.world.load_detector(model)
    pipe.set_progress_bar_config(disable=True)
    found: list[dict[str, Any]] = []
    for seed in range(800, 808):
        trial = Trial(prompts=split_prompts()[1], seeds=(seed,), bfloat16=bfloat16)
        for start in range(0, len(trial.cases), trial.batch):
            batch = trial.cases[start : start + trial.batch]
            prompts, seeds = [prompt for prompt, _ in batch], [number for _, number in batch]
            made: dict[str, list[dict[str, Any]]] = {}
            for name in ("none", method):
                with guide(pipe, prompts, METHODS[name], retry_seeds=seeds, keep_maps=False):
                    images = sample_cases(pipe, trial, batch)
                made[name] = [
                    {"image": image, "prompt": prompt, "detections": seen, "right": judge(prompt, seen).success}
                    for image, prompt, seen in zip(images, prompts, detector(images), strict=True)
                ]
            for index, (prompt, number) in enumerate(batch):
                images_of = {name: each[index] for name, each in made.items()}
                if all(one["right"] for one in images_of.values()) and len(found) < wanted:
                    found.append({"prompt": prompt, "seed": number, "images": images_of})
            if len(found) == wanted:
                return found
    return found


_search = RenderSearch()


def _measures(one: dict[str, Any]) -> dict[str, float]:
    """Return the figures of one image that is right, so that each concept has one detection."""
    concepts = expectations(one["prompt"])
    seen: dict[str, Detection] = {each.name: each for each in one["detections"]}
    boxes = {name: each.box for name, each in seen.items()}
    distances = []
    for concept in concepts:
        others = tuple(box for name, box in boxes.items() if name != concept.name)
        nearest = (
            _search(one["image"], concept.name, concept.colour, boxes[concept.name], others)
            if font_is_installed()
            else None
        )
        distances.append(np.nan if nearest is None else nearest.distance)
    tokenizer: Any = build_tokenizer()
    prompt = Prompt.parse(one["prompt"], tokenizer)
    cosine = ClipText()([Image.fromarray(one["image"])], [prompt])["text"][0]
    return {
        "confidence": float(np.mean([seen[concept.name].confidence for concept in concepts])),
        "distance": float(np.mean(distances)),
        "area": float(np.mean([(box[2] - box[0]) * (box[3] - box[1]) for box in boxes.values()])),
        "text": float(cosine or 0.0),
    }


def _draw(found: list[dict[str, Any]], method: str, out: Path) -> None:
    """Draw the pairs, numbered from 1, and write which image stands on which side."""
    rng = np.random.default_rng(2026)
    key = []
    side, font = SCALE * found[0]["images"]["none"]["image"].shape[0], ImageFont.load_default(12)
    width, height = 2 * side + 30, side + 40
    for page, start in enumerate(range(0, len(found), LINES * COLUMNS), start=1):
        sheet = Image.new("RGB", (COLUMNS * width + 10, LINES * height + 10), "white")
        pen = ImageDraw.Draw(sheet)
        for index, pair in enumerate(found[start : start + LINES * COLUMNS]):
            left, top = 10 + index % COLUMNS * width, 10 + index // COLUMNS * height
            names = ["none", method] if rng.random() < 0.5 else [method, "none"]
            for number, name in enumerate(names):
                image = Image.fromarray(np.ascontiguousarray(pair["images"][name]["image"]))
                sheet.paste(image.resize((side, side), Image.Resampling.LANCZOS), (left + number * (side + 4), top))
            pen.text((left, top + side + 4), f"{start + index + 1}  {pair['prompt']}", font=font, fill="black")
            key.append({"prompt": pair["prompt"], "seed": pair["seed"], "left": names[0], "right": names[1]})
        write_atomic(out / f"pairs-{page:02}.png", png_bytes(sheet))
    write_atomic(out / "key.json", json.dumps(key, indent=1) + "\n")


def read_preferences(key: list[dict[str, Any]], preferred: list[str]) -> str:
    """Return how often each method was preferred, and its share of the preferences with an interval over prompts.

    Raises `SettingsError` unless there is one of "left", "right" and "equal" for each pair.
    """
    if len(preferred) != len(key) or not set(preferred) <= set(SIDES):
        raise SettingsError(f"Expected {len(key)} preferences of {', '.join(SIDES)}, got {len(preferred)}.")
    method = next(name for name in (key[0]["left"], key[0]["right"]) if name != "none")
    chosen = [pair.get(side, "equal") for pair, side in zip(key, preferred, strict=True)]
    worth = np.array([{"none": 0.0, "equal": 0.5, method: 1.0}[name] for name in chosen])
    share: Estimate | None = ByPrompt([pair["prompt"] for pair in key]).mean(worth, within=SHARE)
    counts = ", ".join(f"{name} {chosen.count(name)}" for name in (method, "none", "equal"))
    assert share is not None
    return f"{counts}; {method} preferred in {with_interval(vars(share))}, equal pairs as half"


if __name__ == "__main__":
    typer.run(main)
