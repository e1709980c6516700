"""Which heads of a model with joint attention tell whether a concept is there? Probes on the development half, for OSI.

    python benchmarks/key_heads.py --model joint --out out/heads-joint.json
    python benchmarks/tuning.py --model joint --heads out/heads-joint.json --tried osi=2@0.5,osi=5@0.5
    python benchmarks/results.py --bfloat16 --model joint --heads out/heads-joint.json --tuned osi=2@0.5

The last one with --methods none,osi,osi-random. Writes all heads with their directions, those with the highest score
first, and prints how well they tell. Heads belong to one set of weights.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import torch
import typer

import heedful
from heedful.attention import find_denoiser
from heedful.errors import SettingsError
from heedful.files import write_atomic
from heedful.guidance import Head, Settings
from heedful.lab import Trial, fit_probes
from heedful.world.vocabulary import split_prompts


def main(
    out: Annotated[Path, typer.Option(help="The JSON file of the heads.")] = Path("out/heads.json"),
    model: Annotated[str, typer.Option(help="An embedded model with joint attention, or a folder with one.")] = "joint",
    seeds: Annotated[int, typer.Option(help="Seeds 0 .. N-1 of each development prompt.")] = 4,
    guided: Annotated[float, typer.Option(help="Share of the steps, from the first on, whose keys are read.")] = 0.5,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 2,
) -> None:
    """Sample, judge, fit, write."""
    torch.set_num_threads(threads)
    pipe, detector = heedful.world.load(model), heedful.world.load_detector(model)
    pipe.set_progress_bar_config(disable=True)
    trial = Trial(prompts=split_prompts()[0], seeds=tuple(range(seeds)), bfloat16=True)
    heads = fit_probes(pipe, detector, trial, guided=guided, share=1.0)
    write_atomic(out, json.dumps([asdict(head) for head in heads], indent=1) + "\n")
    typer.echo(f"{len(heads)} heads of {type(find_denoiser(pipe)).__name__}, area under the curve:")
    for site in dict.fromkeys(head.site for head in sorted(heads, key=lambda head: head.site)):
        scores = sorted((head.score for head in heads if head.site == site), reverse=True)
        typer.echo(f"| {site} | " + " | ".join(f"{score:.3f}" for score in scores) + " |")


def read_heads(path: Path, share: float) -> tuple[Head, ...]:
    """Return the best `share` of the heads in a file. Raises `SettingsError` if it holds none."""
    try:
        found = [Head(**row | {"direction": tuple(row["direction"])}) for row in json.loads(path.read_text())]
        if not found:
            raise ValueError("it is empty")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SettingsError(
            f"Expected the heads that benchmarks/key_heads.py writes, got {path}, which cannot be read as such "
            f"({error}). Run it for this model first."
        ) from error
    return tuple(found[: max(1, round(share * len(found)))])


def with_heads(settings: Settings, heads: tuple[Head, ...], *, is_random: bool = False) -> Settings:
    """Return the settings of OSI with its heads; the control moves the same keys as far in random directions."""
    assert settings.key_shift is not None
    shift = replace(settings.key_shift, heads=heads)
    return replace(settings, key_shift=shift.randomised() if is_random else shift)


if __name__ == "__main__":
    typer.run(main)
