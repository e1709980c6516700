"""Which numbers suit each published method on an embedded model? A grid on the development half, same noise for all.

    python benchmarks/tuning.py --methods attend-and-excite,syngen      # all of them unless given
    python benchmarks/tuning.py --model joint --tried ebama=10@0.3,ebama=30@0.3

Writes OUT/METHOD/STEP-GUIDED.jsonl (records; a killed run goes on) and prints a table. With 160 images one standard
error is some .037: it chooses numbers, it proves nothing.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from headroom_rules import parse_settings, read_by_words
from key_heads import read_heads, with_heads

import heedful
from heedful.attention import SiteSelection, find_denoiser
from heedful.guidance import METHODS, Settings
from heedful.lab.records import FAULTS
from heedful.lab.trial import Trial, run_trial, success_table
from heedful.losses import needs_self_attention
from heedful.scores.statistics import estimate
from heedful.world import is_world
from heedful.world.vocabulary import split_prompts

ALL = SiteSelection(scale=2)

# step size and guided share of the run; a first step of these sizes moves the latents by .008 to .15 RMS on average
GRID: dict[str, tuple[tuple[float, float], ...]] = {
    "ebama": ((2, 0.5), (4, 0.5), (4, 0.3), (10, 0.5), (10, 0.3)),
    "initno": ((20, 0), (20, 0.3), (20, 0.5)),
    "attend-and-excite": ((20, 0.5), (20, 0.3), (40, 0.5), (40, 0.3)),
    "attend-and-excite+a-star": ((10, 0.5), (20, 0.5), (20, 0.3), (40, 0.3)),
    "a-star": ((6, 0.5), (12, 0.3), (12, 0.5), (20, 0.3)),
    "divide-and-bind": ((20, 0.5), (60, 0.5), (60, 0.3), (200, 0.5)),
    "focus": ((4, 0.5), (8, 0.5), (20, 0.5), (20, 0.3)),
    "conform": ((2, 0.5), (6, 0.3), (20, 0.5), (20, 0.3)),
    "syngen": ((3, 0.5), (3, 0.3), (8, 0.3), (20, 0.3)),
    "isac": ((0.01, 1.0), (1, 1.0), (20, 1.0), (20, 0.5)),
}


def main(
    out: Annotated[Path, typer.Option(help="Folder of the records.")] = Path("out/tuning"),
    methods: Annotated[str, typer.Option(help="Comma-separated.")] = ",".join(GRID),
    prompts: Annotated[int, typer.Option(help="How many prompts of the development half.")] = 40,
    seeds: Annotated[int, typer.Option(help="Seeds 0 .. N-1 of each prompt.")] = 4,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 2,
    model: Annotated[str, typer.Option(help="An embedded model by name, or a folder with one.")] = "sprites",
    tried: Annotated[str, typer.Option(help="METHOD=STEP_SIZE@GUIDED, with commas, instead of the grid.")] = "",
    words: Annotated[
        bool, typer.Option("--by-words", help="What is tried reads the rows of the text (joint attention).")
    ] = False,
    heads: Annotated[Path | None, typer.Option(help="Heads for osi, by benchmarks/key_heads.py.")] = None,
    head_share: Annotated[float, typer.Option(help="Share of those heads whose keys are moved.")] = 0.2,
) -> None:
    """Generate, judge, print."""
    torch.set_num_threads(threads)
    pipe, detector = heedful.world.load(model), heedful.world.load_detector(model)
    pipe.set_progress_bar_config(disable=True)
    trial = Trial(prompts=split_prompts()[0][:prompts], seeds=tuple(range(seeds)), bfloat16=True)

    def report(name: str, settings: Settings, sites: str = "") -> None:
        shift = settings.key_shift
        step_size, guided = (settings.step_size, settings.guided) if shift is None else (shift.strength, shift.guided)
        place = "-elsewhere" if sites else "" if shift is None else f"-{len(shift.heads)}-heads"
        path = out / name / f"{step_size:g}-{guided:g}{place}.jsonl"
        records = run_trial(pipe, detector, trial, METHODS[name], path, settings=settings)
        found = estimate(success_table(records, trial))
        faults = " | ".join(f"{success_table(records, trial, fault).mean():.3f}" for fault in FAULTS)
        cost = sum(record.relative_cost for record in records) / len(records)
        typer.echo(f"| {name}{sites} | {step_size:g} | {guided:g} | {found.value:.3f} | {faults} | {cost:.2f} |")

    typer.echo("| method | step size | guided | success | " + " | ".join(FAULTS) + " | cost |")
    typer.echo("|" + "---|" * (5 + len(FAULTS)))
    denoiser: Any = find_denoiser(pipe)
    plain = METHODS["none"].settings_for(denoiser)
    report("none", replace(plain, step_size=0.0, guided=0.0))
    for name, numbers in parse_settings(tried):
        settings = numbers.of(METHODS[name].settings_for(denoiser))
        if heads is not None and settings.key_shift is not None:
            settings = with_heads(settings, read_heads(heads, head_share))
        if words:
            report(name, read_by_words(denoiser, settings), ", rows of the text")
        else:
            report(name, settings)
    for name in () if tried else methods.split(","):
        if needs_self_attention(METHODS[name].loss) and not is_world(denoiser):
            typer.echo(
                f"{name} reads self-attention of the image alone, which joint attention has not: left out.", err=True
            )
            continue
        settings = METHODS[name].settings_for(denoiser)
        for step_size, guided in GRID[name]:
            report(name, replace(settings, step_size=step_size, guided=guided))
        # the numbers that were chosen, at other sites
        if is_world(denoiser):
            report(name, replace(settings, sites=ALL), ", all 8x8 sites")
        else:
            report(name, read_by_words(denoiser, settings), ", rows of the text")


if __name__ == "__main__":
    typer.run(main)
