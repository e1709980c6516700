"""Does another sampler mend what a model does wrong? Its failures by scheduler, guidance scale and number of steps.

    python benchmarks/samplers.py --model crowded --bfloat16 --threads 1    # 8 minutes of a core

Writes OUT/SAMPLER/SUITE.jsonl (records; a killed run goes on) and prints a table. For models whose scheduler is
diffusers' DDIM.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from diffusers import DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler

import heedful
from heedful.guidance import NONE
from heedful.lab.records import FAULTS
from heedful.lab.trial import Trial, run_trial, success_table
from heedful.world.vocabulary import single_concept_prompts, split_prompts

OUTCOMES = ("success", *FAULTS)
SAMPLERS: dict[str, dict[str, Any]] = {
    "as everywhere": {},
    "scale 2": {"guidance_scale": 2.0},
    "scale 4.5": {"guidance_scale": 4.5},
    "scale 7": {"guidance_scale": 7.0},
    "50 steps": {"steps": 50},
    "trailing timesteps": {},
    "DPM-Solver++": {},
    "Euler ancestral": {},
}
"""What changes in the trial; the last three change the scheduler."""


def main(
    out: Annotated[Path, typer.Option(help="Folder of the records.")] = Path("out/samplers"),
    model: Annotated[str, typer.Option(help="An embedded model by name, or a folder with one.")] = "crowded",
    seed: Annotated[int, typer.Option(help="Of every prompt.")] = 50,
    bfloat16: Annotated[bool, typer.Option(help="Products in bfloat16.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 2,
) -> None:
    """Generate, judge, print."""
    torch.set_num_threads(threads)
    pipe, detector = heedful.world.load(model), heedful.world.load_detector(model)
    pipe.set_progress_bar_config(disable=True)
    own = pipe.scheduler
    schedulers = {
        "trailing timesteps": type(own).from_config(own.config, timestep_spacing="trailing"),
        "DPM-Solver++": DPMSolverMultistepScheduler.from_config(own.config),
        "Euler ancestral": EulerAncestralDiscreteScheduler.from_config(own.config),
    }
    trial = Trial(prompts=split_prompts()[0], seeds=(seed,), bfloat16=bfloat16)
    typer.echo("| sampler | " + " | ".join(OUTCOMES) + " | single success |")
    typer.echo("|" + "---|" * (len(OUTCOMES) + 2))
    for name, changes in SAMPLERS.items():
        pipe.scheduler = schedulers.get(name, own)
        two = replace(trial, **changes)
        single = replace(two, prompts=single_concept_prompts()[::2])
        folder = out / name.replace(" ", "-")
        records = run_trial(pipe, detector, two, NONE, folder / "two.jsonl")
        alone = run_trial(pipe, detector, single, NONE, folder / "single.jsonl")
        shares = [success_table(records, two, outcome).mean() for outcome in OUTCOMES]
        shares.append(success_table(alone, single).mean())
        typer.echo(f"| {name} | " + " | ".join(f"{share:.3f}" for share in shares) + " |")


if __name__ == "__main__":
    typer.run(main)
