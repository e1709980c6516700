"""The prompts where a method helps most and those where it hurts most, as an image, from records that are there.

    python benchmarks/results.py --bfloat16 --methods none,heedful
    python benchmarks/where_it_helps.py out/results/report --out docs/images/where-it-helps.png

A row is a prompt, with the images that came out right of its seeds; first plain images, then the method's, same noise.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image

import heedful
from heedful.guidance import METHODS, NONE, Method, parse_prompt
from heedful.images import Sampling, paint
from heedful.report.grid import Grid, compose


@dataclass(frozen=True)
class Row:
    """A prompt, its seeds, and how many of their images were right without and with the method."""

    prompt: str
    seeds: tuple[int, ...]
    plain: int
    guided: int


def main(
    records: Annotated[Path, typer.Argument(help="Folder with none.jsonl and METHOD.jsonl.")],
    out: Annotated[Path, typer.Option(help="The image file.")] = Path("out/where-it-helps.png"),
    method: Annotated[str, typer.Option(help="Name of the method.")] = "heedful",
    prompts: Annotated[int, typer.Option(help="Prompts on each side.")] = 5,
    seeds: Annotated[int, typer.Option(help="Seeds of each.")] = 4,
) -> None:
    """Choose, generate, draw."""
    how, rows = _rows(records, method)
    rows.sort(key=lambda row: row.plain - row.guided)
    helped, hurt = rows[:prompts], [row for row in rows[::-1] if row.guided < row.plain][:prompts]
    pipe = heedful.world.load()
    pipe.set_progress_bar_config(disable=True)
    cells = [
        [image for chosen in (NONE, METHODS[method]) for image in _generate(pipe, chosen, row, seeds, how)]
        for row in helped + hurt
    ]
    grid = Grid(
        title=f"Where {method} helps most, and where it hurts",
        note=f"{how['steps']} steps, guidance scale {how['guidance_scale']:g}; right of {len(rows[0].seeds)} seeds",
        columns=[f"{name}, seed {seed}" for name in ("none", method) for seed in range(seeds)],
        rows=[f"{row.prompt}: {row.plain} before, {row.guided} with it" for row in helped + hurt],
        cells=cells,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    compose(grid).save(out)


def _rows(folder: Path, method: str) -> tuple[dict[str, Any], list[Row]]:
    right: dict[str, dict[str, list[tuple[int, bool]]]] = {}
    how: dict[str, Any] = {}
    for name in ("none", method):
        first, *lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        how = json.loads(first)
        for record in map(json.loads, lines):
            right.setdefault(record["prompt"], {}).setdefault(name, []).append((record["seed"], record["success"]))
    return how, [
        Row(
            prompt,
            tuple(seed for seed, _ in found["none"]),
            sum(success for _, success in found["none"]),
            sum(success for _, success in found[method]),
        )
        for prompt, found in right.items()
    ]


def _generate(pipe: Any, method: Method, row: Row, count: int, how: dict[str, Any]) -> list[Image.Image]:
    seeds = row.seeds[:count]
    sampling = Sampling(steps=how["steps"], guidance_scale=how["guidance_scale"], bfloat16=how["bfloat16"])
    prompts = [parse_prompt(pipe, row.prompt)] * len(seeds)
    return paint(pipe, sampling, prompts, method, seeds).images


if __name__ == "__main__":
    typer.run(main)
