"""How well masks from attention cover the objects that were generated: intersection over union on the embedded world.

    python benchmarks/mask_iou.py --half report --sheet out/masks.png

Truth is cut out of the plain background by the boxes of the detector. Only images count in which it finds every concept
of the prompt exactly once. Variants of the rule are measured on the same images. The rule was chosen on the development
half of the prompts; the report half is for reporting once.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from PIL import Image
from true_masks import half_peak_masks, object_masks

import heedful
from heedful.attention.edges import follow_edges
from heedful.attention.regions import MaskRule
from heedful.files import write_atomic
from heedful.guidance import METHODS, MapHistory
from heedful.images.coco import box_of
from heedful.lab.pointing_game import once_each
from heedful.lab.trial import Trial, sample_cases
from heedful.report.grid import Grid, compose
from heedful.scores.statistics import compare, estimate
from heedful.world.embedded import load_detector
from heedful.world.vocabulary import SPLIT_SEED, single_concept_prompts, split_prompts

Masks = np.ndarray
Find = Callable[[MapHistory, Sequence[Image.Image]], list[Masks]]
BASELINE = "half of the maximum"
BENT = "half of the maximum, and the image's edges"
ALONE = "and self-attention"
WHOLE = "and the image's edges: the rule"
RULE = MaskRule()
MAPS_ALONE = replace(RULE, edges=False)


def _half(maps: MapHistory, images: Sequence[Image.Image]) -> list[Masks]:
    return [half_peak_masks(maps, item, (image.height, image.width)).numpy() for item, image in enumerate(images)]


def _half_bent(maps: MapHistory, images: Sequence[Image.Image]) -> list[Masks]:
    """The baseline with the guided filter alone, to tell what it brings from what the rest brings."""
    found: list[Masks] = []
    for item, image in enumerate(images):
        mean = torch.stack([maps.concepts(step)[item] for step in range(len(maps))]).mean(0)
        size = (image.height, image.width)
        enlarged = torch.nn.functional.interpolate(mean[None], size, mode="bilinear", align_corners=False)[0]
        colours = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        bent = follow_edges(enlarged, colours, size[0] // mean.shape[-2], RULE.softness)
        found.append((bent > bent.amax((-2, -1), keepdim=True) / 2).numpy())
    return found


def _by(rule: MaskRule) -> Find:
    def find(maps: MapHistory, images: Sequence[Image.Image]) -> list[Masks]:
        return [np.stack([segment.mask for segment in segments]) for segments in rule(maps, images)]

    return find


VARIANTS: dict[str, Find] = {
    BASELINE: _half,
    BENT: _half_bent,
    "shares, maps alone": _by(replace(MAPS_ALONE, propagation=0.0)),
    ALONE: _by(MAPS_ALONE),
    WHOLE: _by(RULE),
    "rule without self-attention": _by(replace(RULE, propagation=0.0)),
    "rule with late steps counting more": _by(replace(RULE, lateness=2.0)),
    "rule with Otsu's border": _by(replace(RULE, border="otsu")),
    "maps alone, Otsu's border": _by(replace(MAPS_ALONE, border="otsu")),
}


@dataclass(frozen=True)
class Covered:
    """One object: how well each variant's mask and box fit it, as intersection over union in [0, 1]."""

    prompt: str
    seed: int
    concept: str
    mask: dict[str, float]
    box: dict[str, float]


def main(
    half: Annotated[str, typer.Option(help="development or report: which half of the prompts.")] = "development",
    prompts: Annotated[int, typer.Option(help="Prompts of each suite.")] = 60,
    seeds: Annotated[int, typer.Option(help="Seeds of each prompt.")] = 6,
    method: Annotated[str, typer.Option(help="How the images are steered.")] = "none",
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = Path("out/mask-iou"),
    sheet: Annotated[Path | None, typer.Option(help="An image of some masks.")] = None,
) -> None:
    """Generate, segment, measure."""
    if half not in ("development", "report"):
        raise typer.BadParameter(f"expected development or report, got {half}")
    pipe, detector = heedful.world.load(), load_detector(None)
    pipe.set_progress_bar_config(disable=True)
    chosen = METHODS[method]
    figures: dict[str, Any] = {"half": half, "method": method, "rule": repr(RULE)}
    shown: dict[str, list[Image.Image]] = {}
    for suite, texts in {"two": _two(half), "single": _single(half)}.items():
        trial = Trial(prompts=texts[:prompts], seeds=tuple(range(seeds)))
        objects: list[Covered] = []
        for start in range(0, len(trial.cases), trial.batch):
            batch = trial.cases[start : start + trial.batch]
            texts_now = [text for text, _ in batch]
            with heedful.guide(
                pipe, texts_now, chosen, retry_seeds=[seed for _, seed in batch], keep_self_attention=True
            ) as guided:
                arrays = sample_cases(pipe, trial, batch)
            found = _measure(guided.maps, batch, arrays, detector(arrays))
            objects += found[0]
            shown = found[1] | shown
            typer.echo(f"{suite}: {start + len(batch)} of {len(trial.cases)} images, {len(objects)} objects", err=True)
        figures[suite] = _figures(objects)
        write_atomic(out / f"{half}-{suite}.jsonl", "".join(json.dumps(asdict(each)) + "\n" for each in objects))
        typer.echo(f"\n{suite}, {half} half, {len(objects)} objects of {figures[suite]['prompts']} prompts\n")
        typer.echo(_table(figures[suite]))
    write_atomic(out / f"{half}.json", json.dumps(figures, indent=1) + "\n")
    if sheet is not None:
        _draw(shown, sheet)


def _two(half: str) -> tuple[str, ...]:
    return split_prompts()[0 if half == "development" else 1]


def _single(half: str) -> tuple[str, ...]:
    """The single-concept prompts in two halves, shuffled by the same stated seed as those of two concepts."""
    texts = single_concept_prompts()
    order = np.random.default_rng(SPLIT_SEED).permutation(len(texts))
    middle = len(order) // 2
    return tuple(texts[index] for index in (order[:middle] if half == "development" else order[middle:]))


def _measure(
    maps: MapHistory, batch: Sequence[tuple[str, int]], arrays: np.ndarray, detections: Sequence[Sequence[Any]]
) -> tuple[list[Covered], dict[str, list[Image.Image]]]:
    """Return the objects of those images that count, and rows of one image per prompt: itself, truth, masks."""
    images = [Image.fromarray(array) for array in arrays]
    masks = {name: find(maps, images) for name, find in VARIANTS.items()}
    objects: list[Covered] = []
    pages: dict[str, list[Image.Image]] = {}
    for item, (text, seed) in enumerate(batch):
        located = once_each(text, detections[item])
        if located is None:
            continue
        segments = object_masks(arrays[item], [each.box for each in detections[item]])
        truth = segments[[list(detections[item]).index(each) for each in located]]
        for index, detection in enumerate(located):
            mine = {name: each[item][index] for name, each in masks.items()}
            objects.append(
                Covered(
                    text,
                    seed,
                    detection.name,
                    {name: _iou(mask, truth[index]) for name, mask in mine.items()},
                    {name: _box_iou(mask, truth[index]) for name, mask in mine.items()},
                )
            )
        shown = [truth, masks[BASELINE][item], masks[ALONE][item], masks[WHOLE][item]]
        pages.setdefault(text, [images[item], *(_painted(images[item], each) for each in shown)])
    return objects, pages


def _figures(objects: Sequence[Covered]) -> dict[str, Any]:
    """Means over prompts of their objects' mean, with intervals and tests that resample prompts."""
    found: dict[str, Any] = {"objects": len(objects), "prompts": len({each.prompt for each in objects})}
    for name in VARIANTS:
        masks, boxes = _by_prompt(objects, name, "mask"), _by_prompt(objects, name, "box")
        against = compare(_by_prompt(objects, BASELINE, "mask"), masks)
        found[name] = {
            "mask": asdict(estimate(masks)),
            "box": asdict(estimate(boxes)),
            "difference": asdict(against.difference),
            "p_value": against.p_value,
        }
    return found


def _by_prompt(objects: Sequence[Covered], name: str, what: str) -> np.ndarray:
    values: dict[str, list[float]] = {}
    for each in objects:
        values.setdefault(each.prompt, []).append(getattr(each, what)[name])
    return np.array([[np.mean(each)] for each in values.values()])


def _table(figures: dict[str, Any]) -> str:
    lines = ["| masks | mask IoU [95 %] | box IoU [95 %] | mask IoU less the baseline's |", "|---|---|---|---|"]
    for name in VARIANTS:
        row = figures[name]
        shown = {key: "{value:.3f} [{low:.3f}, {high:.3f}]".format(**row[key]) for key in ("mask", "box")}
        less = "" if name == BASELINE else "{value:+.3f} [{low:+.3f}, {high:+.3f}]".format(**row["difference"])
        lines.append(f"| {name} | {shown['mask']} | {shown['box']} | {less} |")
    return "\n".join(lines) + "\n"


def _iou(mask: np.ndarray, truth: np.ndarray) -> float:
    return float((mask & truth).sum() / max(1, (mask | truth).sum()))


def _box_iou(mask: np.ndarray, truth: np.ndarray) -> float:
    if not mask.any() or not truth.any():
        return 0.0
    filled = []
    for each in (mask, truth):
        left, top, width, height = box_of(each)
        canvas = np.zeros_like(each)
        canvas[top : top + height, left : left + width] = True
        filled.append(canvas)
    return _iou(*filled)


def _painted(image: Image.Image, masks: np.ndarray) -> Image.Image:
    """The image at three times its size, each mask in a colour of its own."""
    big = image.resize((3 * image.width, 3 * image.height), Image.Resampling.NEAREST)
    canvas = np.asarray(big).astype(float)
    for mask, ink in zip(masks, ((230, 100, 20), (20, 90, 200), (30, 150, 70)), strict=False):
        inside = np.kron(mask, np.ones((3, 3), dtype=bool))
        canvas[inside] = 0.35 * canvas[inside] + 0.65 * np.array(ink)
    return Image.fromarray(canvas.round().astype(np.uint8))


def _draw(shown: Mapping[str, Sequence[Image.Image]], path: Path) -> None:
    """Draw every ninth prompt."""
    chosen = dict(list(shown.items())[::9])
    grid = Grid(
        title="Masks of concepts",
        columns=["image", "truth", BASELINE, "maps alone", "with the image's edges"],
        rows=list(chosen),
        cells=list(chosen.values()),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    compose(grid).save(path)


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
