"""`heedful world`: the embedded model's card and samples, its figures, and how to make it again from nothing.

Knows the options. What is slow is imported when a command runs.
"""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from heedful.cli.console import err, say, say_json, tell
from heedful.cli.options import ThreadsOption, WorldModelOption
from heedful.errors import ModelNotFound, SettingsError

app = typer.Typer(help="The embedded model: its card, samples and figures, and how it is made.", no_args_is_help=True)


@app.command()
def card(
    model: WorldModelOption = None,
    figures: Annotated[
        Path | None,
        typer.Option("--figures", metavar="FILE", help="Put in these figures.", show_default=False, exists=True),
    ] = None,
) -> None:
    """Print the model card: how it was made, what it can and cannot do, and its measured figures.

    `--figures FOLDER/figures.json`, which `heedful world evaluate` wrote, replaces the figures of the card.
    """
    from heedful.report import with_figures
    from heedful.world import WEIGHTS

    path = (model or WEIGHTS) / "README.md"
    if not path.is_file():
        raise ModelNotFound(
            f"Expected a model card at {path}, found none. Make the model: heedful world train --out FOLDER"
        )
    text = path.read_text(encoding="utf-8")
    say(text if figures is None else with_figures(text, json.loads(figures.read_text(encoding="utf-8"))))


@app.command()
def sample(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The PNG to write.")] = Path("out/world.png"),
    seed: Annotated[int, typer.Option("--seed", help="Seed of the noise, the same for every prompt.")] = 0,
    model: WorldModelOption = None,
) -> None:
    """Write a sheet of samples: every class, some colours, and pairs, without guidance."""
    from heedful.report import sheet
    from heedful.world import load

    say(f"Samples: {sheet(load(model), out, seed)}")


@app.command()
def evaluate(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where records and figures go.")] = Path(
        "out/world"
    ),
    single_seeds: Annotated[int, typer.Option("--single-seeds", help="Seeds of the 156 single-concept prompts.")] = 16,
    single_steps: Annotated[
        str,
        typer.Option("--single-steps", metavar="N[,N...]", help="Denoising steps of the single concepts: a row each."),
    ] = "20",
    two_seeds: Annotated[int, typer.Option("--two-seeds", help="Seeds of the 276 two-concept prompts.")] = 8,
    three_seeds: Annotated[int, typer.Option("--three-seeds", help="Seeds of the 60 three-concept prompts.")] = 4,
    pointing_seeds: Annotated[
        int, typer.Option("--pointing-seeds", help="Seeds of the 276 two-concept prompts whose maps are read.")
    ] = 2,
    miniature: Annotated[
        bool, typer.Option("--miniature", help="A few images and renders of each kind, to try the machinery.")
    ] = False,
    model: WorldModelOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Measure the figures of the card, as JSON: painting, maps, speed, detector, autoencoder, CLIP.

    A killed run goes on.
    """
    from heedful.files import write_atomic
    from heedful.lab import Trial, play, pointing_figures, pointing_table, retrieval_figures
    from heedful.lab import world_figures as figures
    from heedful.world import font_is_installed, load, load_clip, load_detector, two_concept_prompts

    _use(threads)
    steps = _numbers(single_steps)
    pipe, detector = load(model), load_detector(model)
    pipe.set_progress_bar_config(disable=True)
    seeds = {"single": single_seeds, "two": two_seeds, "three": three_seeds}
    every, part = (92, 64) if miniature else (1, 1)
    with _progress() as bar:
        rows = (*(figures.row_name("single", each) for each in steps), "two", "three", "pointing")
        tasks = {row: bar.add_task(row, total=None) for row in rows}

        def on_images(row: str, done: int, total: int) -> None:
            bar.update(tasks[row], completed=done, total=total)

        measured: dict[str, Any] = figures.painting_figures(
            pipe, detector, out, seeds, on_images, single_steps=steps, every=every
        )
        if pointing_seeds > 0:
            trial = Trial(prompts=two_concept_prompts()[::every], seeds=tuple(range(pointing_seeds)))
            objects = play(
                pipe, detector, trial, out / "pointing.jsonl", lambda done, total: on_images("pointing", done, total)
            )
            measured["pointing"] = pointing_figures(objects)
            tell(pointing_table(measured["pointing"]))
    measured["speed"] = figures.speed_figures(pipe, 32 // min(part, 16))
    if not miniature:
        measured["loading"] = figures.loading_figures(model)
    if font_is_installed():
        measured["detector"] = figures.detector_figures(detector, 2048 // part)
        measured["autoencoder"] = figures.autoencoder_figures(pipe, 256 // part)
        measured["clip"] = retrieval_figures(*load_clip(model), sets=1 if miniature else 10)
    write_atomic(out / "figures.json", json.dumps(measured, indent=1))
    say_json(measured)


@app.command()
def audit(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where pages and list go.")] = Path("out/audit"),
    images: Annotated[int, typer.Option("--images", min=1, help="How many images to look at.")] = 300,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Seeds of the 276 prompts to draw from.")] = 4,
    records: Annotated[
        Path | None,
        typer.Option(
            "--records", metavar="FILE", help="Draw from these records instead: FOLDER/two.jsonl of evaluate."
        ),
    ] = None,
    blind: Annotated[bool, typer.Option("--blind", help="Leave the verdicts off the pages.")] = False,
    model: WorldModelOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Write sheets of painted images, as many of each verdict, and a list to fill in. A killed run goes on.

    Write into the field `seen` of the list what you see, `success` or faults with commas, then: heedful world agreement
    """
    from heedful.guidance import NONE
    from heedful.lab import Trial, run_trial
    from heedful.lab import audit as audits
    from heedful.report import write_audit
    from heedful.world import load, load_detector, two_concept_prompts

    _use(threads)
    pipe, detector = load(model), load_detector(model)
    pipe.set_progress_bar_config(disable=True)
    with _progress() as bar:

        def counted(name: str) -> Callable[[int, int], None]:
            task = bar.add_task(name, total=None)
            return lambda done, total: bar.update(task, completed=done, total=total)

        if records is None:
            fresh = range(audits.AUDIT_SEED, audits.AUDIT_SEED + seeds)
            trial = Trial(prompts=two_concept_prompts(), seeds=tuple(fresh))
            records = out / "records.jsonl"
            run_trial(pipe, detector, trial, NONE, records, on_images=counted("painting"))
        made, how = audits.read_records(records)
        cases = audits.draw_cases(made, images)
        judged = audits.judge_again(
            pipe,
            detector,
            cases,
            steps=how["steps"],
            guidance_scale=how["guidance_scale"],
            on_images=counted("painting those drawn"),
        )
    drawn = Counter(case.kind for case in cases)
    tell("Drawn: " + ", ".join(f"{drawn[kind]} {kind}" for kind in audits.KINDS))
    say(f"List: {write_audit(judged, audits.shares_of(made), out, blind=blind)}")


@app.command()
def agreement(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The list of an audit, filled in.", exists=True)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
) -> None:
    """Say how far a person's verdicts agree with the judge's, with 95 % intervals."""
    from heedful.lab import agreement as agree
    from heedful.report import agreement_lines

    found = agree(file)
    if as_json:
        say_json(found)
    else:
        say("\n".join(agreement_lines(found)))


@app.command()
def instances(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where pictures and their JSON go.")] = Path(
        "out/instances"
    ),
) -> None:
    """Draw the one-image concepts that come with heedful again, from their stated seeds; needs the emoji font."""
    from heedful.world import write_instances

    say(f"One-image concepts: {write_instances(out)}")


@app.command()
def train(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the model goes.")],
    start: Annotated[
        Path | None,
        typer.Option("--start", metavar="FOLDER", help="Train this world model further.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option("--device", metavar="auto|cpu|cuda", help="Where to train.")] = "auto",
    threads: ThreadsOption = None,
    miniature: Annotated[
        bool, typer.Option("--miniature", help="A recipe of seconds that paints nothing, to try the machinery.")
    ] = False,
) -> None:
    """Make the model from nothing, or from `--start`; killed at any moment, the same command goes on."""
    from heedful.report import loss_curves
    from heedful.world.training import MINIATURE, RECIPES
    from heedful.world.training import train as train_world

    _use(threads)
    with _progress() as bar:
        tasks: dict[str, Any] = {}

        def on_step(phase: str, step: int, steps: int, loss: float) -> None:
            if phase not in tasks:
                if tasks:  # a phase has ended, and its losses are written
                    loss_curves(out / "training")
                tasks[phase] = bar.add_task(phase, total=steps)
            bar.update(tasks[phase], completed=step, description=f"{phase} (loss {loss:.4f})")

        recipe = MINIATURE if miniature else RECIPES["sprites"]
        folder = train_world(out, recipe, start=start, device=device, on_step=on_step)
    say(f"Losses: {loss_curves(out / 'training')}")
    say(f"Model: {folder}")


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError as error:
        raise SettingsError(
            f"Expected numbers of denoising steps with commas, such as 20,30,50, got {text!r}."
        ) from error


def _use(threads: int | None) -> None:
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err)
