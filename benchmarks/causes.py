"""Which cause of failure makes which failure? The crowded model trained on with one cause switched off at a time.

    python benchmarks/causes.py --bfloat16                       # the reported run
    python benchmarks/causes.py --steps 40 --prompts 6 --seeds 1 # a look

Every row begins with the weights of the crowded model and is trained for the same steps on the same random numbers, the
first with all causes on. So a row shows what comes back when a cause goes: not what the model would be without ever
having had it. Writes OUT/CAUSE/ (checkpoints and records; a killed run goes on) and OUT/causes.json, prints the table.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

import heedful
from heedful.files import make_folder, write_atomic
from heedful.guidance import NONE
from heedful.lab.records import FAULTS
from heedful.lab.trial import Trial, run_trial, success_table
from heedful.report.markdown import table, with_interval
from heedful.scores import compare, estimate
from heedful.world import APART
from heedful.world.tokenizer import build_tokenizer
from heedful.world.training.captions import TRUE_CAPTIONS
from heedful.world.training.denoiser import DenoiserPhase
from heedful.world.training.loop import run_phase
from heedful.world.training.recipe import Recipe
from heedful.world.training.recipes import CROWDED
from heedful.world.training.train import fitted_projection
from heedful.world.vocabulary import single_concept_prompts, split_prompts

OUTCOMES = ("success", *FAULTS)


def _captions(**changes: float | None) -> Callable[[Recipe], Recipe]:
    return lambda recipe: replace(recipe, captions=replace(recipe.captions, **changes))


def _style(**changes: Any) -> Callable[[Recipe], Recipe]:
    return lambda recipe: replace(recipe, style=replace(recipe.style, **changes))


CAUSES: dict[str, Callable[[Recipe], Recipe]] = {
    "all causes on": lambda recipe: recipe,
    "the text encoder learns too": lambda recipe: recipe,
    "captions are true": lambda recipe: replace(recipe, captions=TRUE_CAPTIONS),
    "no absent object is named": _captions(absent=0.0),
    "no colours are swapped": _captions(swapped=0.0),
    "objects are small and apart": _style(sizes=APART.sizes, spacing=APART.spacing, visible=APART.visible),
    "classes, pairs and colours are even": _style(
        class_skew=0.0, rare_pairs=0.0, usual_colour=None, painted_animals=0.0
    ),
    "backgrounds belong to no class": _style(own_background=0.0),
    "the left one of two is named first": _captions(left_first=0.9),
}
"""Rows of the table: what is switched off, and how the recipe changes. The last switches a help on: the order
of words then tells which thing stands where."""
LEARNS_TOO = "the text encoder learns too"


def main(
    out: Annotated[Path, typer.Option(help="Folder of the models and the records.")] = Path("out/causes"),
    model: Annotated[str, typer.Option(help="The crowded model: its name, or a folder.")] = "crowded",
    causes: Annotated[
        str, typer.Option(help="Parts of the names of the rows, with commas; the first row always is.")
    ] = "",
    steps: Annotated[int, typer.Option(help="Steps of training of each row.")] = 400,
    prompts: Annotated[int, typer.Option(help="How many two-concept prompts of the development half.")] = 138,
    seeds: Annotated[int, typer.Option(help="Seeds 0 .. N-1 of each prompt.")] = 2,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 2,
    bfloat16: Annotated[bool, typer.Option(help="Sample with bfloat16 products.")] = False,
) -> None:
    """Train on, generate, judge, print."""
    torch.set_num_threads(threads)
    wanted = [part.strip() for part in causes.split(",") if part.strip()]
    rows = [name for name in CAUSES if not wanted or name == "all causes on" or any(part in name for part in wanted)]
    detector = heedful.world.load_detector(model)
    suites = {
        "two": Trial(prompts=split_prompts()[0][:prompts], seeds=tuple(range(seeds)), bfloat16=bfloat16),
        "single": Trial(prompts=single_concept_prompts()[: 3 * prompts : 3], seeds=(0,), bfloat16=bfloat16),
    }
    found: dict[str, Any] = {}
    tables: dict[str, Any] = {}
    for name in rows:
        folder = make_folder(out / name.replace(" ", "-").replace(",", ""))
        pipe = train_on(folder, model, name, steps)
        found[name] = {}
        for suite, trial in suites.items():
            records = run_trial(pipe, detector, trial, NONE, folder / f"{suite}.jsonl")
            for outcome in OUTCOMES:
                values = tables[name, suite, outcome] = success_table(records, trial, outcome)
                figure: dict[str, Any] = {"value": vars(estimate(values))}
                if name != rows[0]:
                    figure["less_first"] = vars(compare(tables[rows[0], suite, outcome], values).difference)
                found[name][f"{suite} {outcome}"] = figure
        typer.echo(f"{name}: " + ", ".join(f"{o} {found[name][f'two {o}']['value']['value']:.3f}" for o in OUTCOMES))
    write_atomic(out / "causes.json", json.dumps(found, indent=1) + "\n")
    typer.echo(show(found))


def train_on(folder: Path, model: str, cause: str, steps: int) -> Any:
    """Train the model on with one cause switched off; return the pipeline of its averages."""
    parts = heedful.world.load(model)
    stage = replace(CROWDED.stages[-1], name="on", steps=steps)
    # from the full learning rate down to nothing: long enough to follow a change, with averages of the last steps
    recipe = CAUSES[cause](replace(CROWDED, stages=(stage,), decay=0.9, warmup=20, ema=0.99))
    encoder = None if cause == LEARNS_TOO else parts.text_encoder.requires_grad_(False)
    projection = fitted_projection(folder.parent / "projection.safetensors", recipe, parts)
    phase = DenoiserPhase(recipe, build_tokenizer(), projection, torch.device("cpu"), encoder)
    phase.unet.load_state_dict(parts.unet.state_dict())
    phase.text_encoder.load_state_dict(parts.text_encoder.state_dict())
    run_phase(phase, recipe, folder, checkpoint_every=100, report_every=10**9)
    pipe = phase.pipeline(parts.vae)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def show(found: dict[str, Any]) -> str:
    """Return the table: the first row's shares, then what each cause's absence adds to or takes from them."""
    columns = [f"two {outcome}" for outcome in OUTCOMES] + ["single success"]
    lines = []
    for name, figures in found.items():
        cells = [with_interval(figures[column].get("less_first", figures[column]["value"])) for column in columns]
        lines.append([name, *cells])
    return "\n".join(table(["switched off", *columns], lines))


if __name__ == "__main__":
    typer.run(main)
