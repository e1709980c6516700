"""`heedful study`: what the papers and our own first idea claim, tested on the embedded model, with plots.

Knows the options. What is slow is imported when a command runs.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from heedful.cli.console import err, say, say_json
from heedful.cli.options import DeviceOption, JsonOption, ThreadsOption, WorldModelOption

app = typer.Typer(help="Claims about attention, tested on the embedded model, with plots.", no_args_is_help=True)

_FOLDER = Path("out/study")

Prompts = Annotated[
    int, typer.Option("--prompts", min=1, help="How many of the 138 two-concept prompts of the development half.")
]
Seeds = Annotated[str, typer.Option("--seeds", help="Seeds of each prompt: 0-3, 0,5,7 or 0-3,8.")]
Steps = Annotated[int, typer.Option("--steps", min=3, help="Denoising steps.")]
Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where records, figures and plot go.")]


@app.command()
def overlap(
    prompts: Prompts = 60,
    seeds: Seeds = "500-515",
    steps: Steps = 20,
    out: Out = _FOLDER,
    model: WorldModelOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Does overlap of two concepts' maps foretell the failure, and from which step on? (A-STAR's first observation)

    A killed run goes on. `retention` with the same options looks at the same images, and paints none again.
    """
    _run("overlap", prompts, seeds, steps, out, model, device, threads, as_json)


@app.command()
def retention(
    prompts: Prompts = 60,
    seeds: Seeds = "500-515",
    steps: Steps = 20,
    out: Out = _FOLDER,
    model: WorldModelOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Is what the first steps see of a concept lost where images fail? (A-STAR's second observation)

    A killed run goes on. `overlap` with the same options looks at the same images, and paints none again.
    """
    _run("retention", prompts, seeds, steps, out, model, device, threads, as_json)


@app.command()
def evenness(
    prompts: Prompts = 30,
    seeds: Seeds = "500-505",
    steps: Steps = 20,
    out: Out = _FOLDER,
    model: WorldModelOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Does even attention over an object mean a better one? Correlations, and guidance by evenness alone.

    Paints each image five times: plain, by Attend-and-Excite, towards evenness, away from it, and by random steps. A
    killed run goes on.
    """
    from heedful.cli.console import tell
    from heedful.world import font_is_installed

    if not font_is_installed():
        tell("The emoji font is not installed, so the distance to the nearest render is left out.")
    _run("evenness", prompts, seeds, steps, out, model, device, threads, as_json)


@app.command()
def page(
    figures: Annotated[
        Path, typer.Argument(metavar="FIGURES", help="The JSON that a study has written.", exists=True, dir_okay=False)
    ],
    target: Annotated[Path, typer.Argument(metavar="PAGE", help="A Markdown page.", exists=True, dir_okay=False)],
) -> None:
    """Put the figures of a study into the section "Figures" of a page, and its plot into `images/` beside the page."""
    from heedful.files import write_atomic
    from heedful.report import plot, with_study

    found = json.loads(figures.read_text(encoding="utf-8"))
    picture = Path("images") / f"{found['study']}.png"
    plot(found, target.parent / picture)
    write_atomic(target, with_study(target.read_text(encoding="utf-8"), found, picture.as_posix()))
    say(f"Page: {target}")


def _run(
    name: str,
    prompts: int,
    seeds: str,
    steps: int,
    out: Path,
    model: Path | None,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    from heedful.files import write_atomic
    from heedful.lab import STUDIES, weights_of
    from heedful.report import plot, summary

    study = STUDIES[name]
    loaded, detector, trial = _prepare(prompts, seeds, steps, model, device, threads)
    weights = weights_of(loaded)
    with _counting() as on_images:
        records = study.watch(loaded.pipe, detector, trial, out, weights=weights, on_images=on_images)
    found = {**study.figures(records, trial), "weights": weights}
    figures = write_atomic(out / f"{name}.json", json.dumps(found, indent=1) + "\n")
    picture = plot(found, out / f"{name}.png")
    if as_json:
        say_json(found)
        return
    say(summary(found))
    say(f"Figures: {figures}")
    say(f"Plot: {picture}")


def _prepare(
    prompts: int, seeds: str, steps: int, model: Path | None, device: str, threads: int | None
) -> tuple[Any, Any, Any]:
    """Refuse what cannot work, then load the model and its detector, and plan the images."""
    from heedful.images import parse_seeds
    from heedful.lab import Trial, study_prompts
    from heedful.models import load_model
    from heedful.report import check_plots
    from heedful.world import load_detector

    check_plots()
    trial = Trial(prompts=study_prompts(prompts), seeds=parse_seeds(seeds), steps=steps)
    detector = load_detector(model)
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    return load_model(None if model is None else str(model), device=device, dtype="float32"), detector, trial


@contextmanager
def _counting() -> Iterator[Callable[[str, int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err) as bar:
        tasks: dict[str, Any] = {}

        def on_images(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done)

        yield on_images
