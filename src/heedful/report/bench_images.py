"""The prompts of a benchmark that came out worst and best, as labelled tables of images, with maps where they exist.

Maps are those that `heedful see` writes next to the images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from safetensors.torch import load_file

from heedful.attention import overlay
from heedful.bench import Result, Results
from heedful.report.bench_figures import SuiteFigures, is_lower_better
from heedful.report.markdown import escape, table

SHOWN_SEEDS = 3
_SIDE = 192  # pixels of the longer side of a large image: a page of many must stay small
_QUALITY = 90


@dataclass(frozen=True)
class Ranked:
    """A prompt with the mean score of its images, for the method that is shown and for the baseline."""

    prompt: str
    value: float
    before: float | None
    """None where there is no baseline, or it has no image of this prompt."""


def rank_prompts(results: Results, figures: SuiteFigures) -> list[Ranked]:
    """Return the prompts of a suite, worst first by the best method; of equals, first those that it harmed most."""
    here = results.of(suite=figures.suite)
    shown = _means(here, figures.best.method, figures.score)
    base = {} if figures.baseline is None else _means(here, figures.baseline, figures.score)
    sign = -1 if is_lower_better(figures.score) else 1
    ranked = [Ranked(prompt, value, base.get(prompt)) for prompt, value in shown.items()]
    return sorted(ranked, key=lambda each: (sign * each.value, sign * (each.value - (each.before or 0)), each.prompt))


def prompt_grid(
    results: Results, figures: SuiteFigures, prompts: Sequence[Ranked], prefix: str
) -> tuple[list[str], dict[str, bytes]]:
    """Return a Markdown table and its images, whose paths begin with `prefix`.

    A row is a prompt; its columns are a few seeds of the baseline, then the same seeds of the best method. Under each
    image stands its score. Images that are not there, or cannot be read, are left empty.
    """
    here = results.of(suite=figures.suite)
    methods = list(dict.fromkeys(name for name in (figures.baseline, figures.best.method) if name is not None))
    cases = {(case.prompt, case.method, case.seed): case for case in here.done}
    images: dict[str, bytes] = {}
    rows: list[list[str]] = []
    for ranked in prompts:
        seeds = sorted({case.seed for case in here.done if case.prompt == ranked.prompt})[:SHOWN_SEEDS]
        row = [_label(ranked, figures)]
        for method in methods:
            for number in range(SHOWN_SEEDS):
                case = cases.get((ranked.prompt, method, seeds[number])) if number < len(seeds) else None
                image = None if case is None else _read(here, case)
                if case is None or image is None:
                    row.append("")
                    continue
                name = f"{prefix}-{len(images)}.jpg"
                images[name] = _encoded(image)
                value = case.scores.get(figures.score)
                alt = f"{case.prompt}, {method}, seed {case.seed}"
                row.append(f"![{escape(alt)}]({name}) {_mark(value)}")
        rows.append(row)
    heads = ["prompt", *(f"{escape(method)} {number + 1}" for method in methods for number in range(SHOWN_SEEDS))]
    return table(heads, rows, align="left"), images


def map_grid(
    results: Results, figures: SuiteFigures, prompts: Sequence[Ranked], prefix: str
) -> tuple[list[str], dict[str, bytes]]:
    """Return a table of the attention to each concept in images of `prompts`; empty if no maps are there.

    Maps are means over the steps, read from OUT/METHOD/PROMPT/SEED/maps.safetensors.
    """
    here = results.of(suite=figures.suite)
    wanted = {ranked.prompt for ranked in prompts}
    images: dict[str, bytes] = {}
    rows: list[list[str]] = []
    for case in here.done:
        path = here.path(case) if case.prompt in wanted else None
        if path is None or not _maps_of(path).is_file():
            continue
        image = _read(here, case)
        if image is None:
            continue
        row = [f"{escape(case.prompt)}, {escape(case.method)}, seed {case.seed}"]
        for text, shown in [("image", image), *map_overlays(path, image)]:
            name = f"{prefix}-{len(images)}.jpg"
            images[name] = _encoded(shown)
            row.append(f"![{escape(text)}]({name}) {escape(text)}")
        rows.append(row)
    most = max((len(row) for row in rows), default=0)
    filled = [row + [""] * (most - len(row)) for row in rows]
    return table(["image of", "", *[""] * (most - 2)], filled, align="left"), images


def _maps_of(path: Path) -> Path:
    return path.with_suffix("") / "maps.safetensors"


def map_overlays(path: Path, image: Image.Image) -> list[tuple[str, Image.Image]]:
    """Return each concept with the image under its map, from the maps that lie beside it; empty without any."""
    if not _maps_of(path).is_file():
        return []
    tensors = load_file(_maps_of(path))
    return [(name.partition(".")[2], overlay(image, tensors[name].mean(0))) for name in sorted(tensors)]


def _read(results: Results, case: Result) -> Image.Image | None:
    path = results.path(case)
    if path is None:
        return None
    try:
        with Image.open(path) as opened:
            return _small(opened.convert("RGB"))
    except (UnidentifiedImageError, OSError):
        return None  # the page goes on without an image that cannot be read


def _small(image: Image.Image) -> Image.Image:
    factor = _SIDE / max(image.size)
    if factor >= 1:
        return image
    return image.resize((max(1, round(image.width * factor)), max(1, round(image.height * factor))))


def _label(ranked: Ranked, figures: SuiteFigures) -> str:
    after = f"{ranked.value:.2f}"
    return f"{escape(ranked.prompt)}: {after if ranked.before is None else f'{ranked.before:.2f} → {after}'}"


def _mark(value: float | None) -> str:
    """Return a score as it stands under its image; a yes or no by its sign."""
    if value is None:
        return "–"
    return {0.0: "✗", 1.0: "✓"}.get(value, f"{value:.2f}")


def _means(results: Results, method: str, score: str) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for (prompt, _), value in results.values(method, score).items():
        values.setdefault(prompt, []).append(value)
    return {prompt: sum(each) / len(each) for prompt, each in values.items()}


def _encoded(image: Image.Image) -> bytes:
    stream = BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    return stream.getvalue()
