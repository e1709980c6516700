"""`heedful world`: the embedded model's card and samples, its figures, and how to make it again from nothing.

Knows the options. What is slow is imported when a command runs.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from heedful.cli.console import err, say, say_json

app = typer.Typer(help="The embedded model: its card, samples and figures, and how it is made.", no_args_is_help=True)

Folder = Annotated[
    Path | None,
    typer.Option(
        "--model", metavar="FOLDER", help="A world model of your own. Without it, the embedded one.", show_default=False
    ),
]
Threads = Annotated[
    int | None, typer.Option("--threads", help="Threads of torch. Without it, torch's choice.", show_default=False)
]


@app.command()
def card(model: Folder = None) -> None:
    """Print the model card: how it was made, what it can and cannot do, and its measured figures."""
    from heedful.errors import ModelNotFound
    from heedful.world.embedded import WEIGHTS

    path = (model or WEIGHTS) / "README.md"
    if not path.is_file():
        raise ModelNotFound(
            f"Expected a model card at {path}, found none. Make the model: heedful world train --out FOLDER"
        )
    say(path.read_text(encoding="utf-8"))


@app.command()
def sample(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The PNG to write.")] = Path("out/world.png"),
    seed: Annotated[int, typer.Option("--seed", help="Seed of the noise, the same for every prompt.")] = 0,
    model: Folder = None,
) -> None:
    """Write a sheet of samples: every class, some colours, and pairs, without guidance."""
    from heedful.report.world_sheet import sheet
    from heedful.world.embedded import load

    say(f"Samples: {sheet(load(model), out, seed)}")


@app.command()
def evaluate(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where records and figures go.")] = Path(
        "out/world"
    ),
    single_seeds: Annotated[int, typer.Option("--single-seeds", help="Seeds of the 156 single-concept prompts.")] = 16,
    two_seeds: Annotated[int, typer.Option("--two-seeds", help="Seeds of the 276 two-concept prompts.")] = 8,
    three_seeds: Annotated[int, typer.Option("--three-seeds", help="Seeds of the 60 three-concept prompts.")] = 4,
    model: Folder = None,
    threads: Threads = None,
) -> None:
    """Measure the figures of the card, as JSON: painting, detector, autoencoder, speed. A killed run goes on."""
    import torch

    from heedful.evaluation import world_figures as figures
    from heedful.files import write_atomic
    from heedful.world.embedded import load, load_detector
    from heedful.world.sprites import font_is_installed

    if threads is not None:
        torch.set_num_threads(threads)
    pipe, detector = load(model), load_detector(model)
    pipe.set_progress_bar_config(disable=True)
    seeds = {"single": single_seeds, "two": two_seeds, "three": three_seeds}
    with _progress() as bar:
        tasks = {suite: bar.add_task(suite, total=None) for suite in seeds}
        measured: dict[str, Any] = figures.painting_figures(
            pipe, detector, out, seeds, lambda suite, done, total: bar.update(tasks[suite], completed=done, total=total)
        )
    measured["speed"] = figures.speed_figures(pipe)
    if font_is_installed():
        measured["detector"] = figures.detector_figures(detector)
        measured["autoencoder"] = figures.autoencoder_figures(pipe)
    write_atomic(out / "figures.json", json.dumps(measured, indent=1))
    say_json(measured)


@app.command()
def train(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the model goes.")],
    device: Annotated[str, typer.Option("--device", metavar="auto|cpu|cuda", help="Where to train.")] = "auto",
    threads: Threads = None,
    miniature: Annotated[
        bool, typer.Option("--miniature", help="A recipe of seconds that paints nothing, to try the machinery.")
    ] = False,
) -> None:
    """Make the model from nothing; killed at any moment, the same command goes on."""
    import torch

    from heedful.world.training.recipe import MINIATURE, RECIPE
    from heedful.world.training.train import train as train_world

    if threads is not None:
        torch.set_num_threads(threads)
    with _progress() as bar:
        tasks: dict[str, Any] = {}

        def on_step(phase: str, step: int, steps: int, loss: float) -> None:
            if phase not in tasks:
                tasks[phase] = bar.add_task(phase, total=steps)
            bar.update(tasks[phase], completed=step, description=f"{phase} (loss {loss:.4f})")

        folder = train_world(out, MINIATURE if miniature else RECIPE, device=device, on_step=on_step)
    say(f"Model: {folder}")


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err)
