"""`heedful world`: the embedded models, their cards, samples and figures, and how each is made again."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from cyclopts import App

from heedful.cli import options
from heedful.cli.console import err, say, say_json, tell
from heedful.cli.progress import counting
from heedful.cli.reading import expecting, read_json, read_text
from heedful.errors import ModelNotFound, SettingsError

app = App(
    name="world",
    group_parameters=options.OPTIONS,
    help="The embedded models: their cards, samples and figures, and how they are made.",
)


@app.command(name="list")
def list_worlds(*, as_json: options.Json = False) -> None:
    """List the embedded models by name; `--model world:NAME` takes one of them anywhere."""
    from heedful.world import WORLDS, folder_of, is_shipped

    rows = [
        {
            "name": name,
            "what": what,
            "folder": str(folder_of(name)),
            "shipped": is_shipped(name),
            "megabytes": round(
                sum(file.stat().st_size for file in folder_of(name).rglob("*") if file.is_file()) / 1e6, 1
            ),
        }
        for name, what in WORLDS.items()
    ]
    if as_json:
        say_json(rows)
    else:
        sizes = (f"{row['megabytes']} MB" if row["shipped"] else "recipe and card, no weights yet" for row in rows)
        say("\n".join(f"{row['name']}: {row['what']} ({size})" for row, size in zip(rows, sizes, strict=True)))


@app.command
def card(name: options.WorldName = None, /, *, model: options.WorldFolder = None, figures: Path | None = None) -> None:
    """Print the model card: how it was made, what it can and cannot do, and its measured figures.

    `--figures FOLDER/figures.json`, which `heedful world evaluate` wrote, replaces the figures of the card.

    Parameters
    ----------
    figures
        JSON file whose figures are put into the card.
    """
    from heedful.report import with_figures
    from heedful.world import folder_of

    path = folder_of(_chosen(name, model)) / "README.md"
    if not path.is_file():
        raise ModelNotFound(
            f"Expected a model card at {path}, found none. Make the model: heedful world train --out FOLDER"
        )
    text = read_text(path, "a model card")
    if figures is not None:
        with expecting("figures of heedful world evaluate", figures):
            text = with_figures(text, read_json(figures, "figures of heedful world evaluate"))
    say(text)


@app.command
def sample(
    name: options.WorldName = None,
    /,
    *,
    out: Path = Path("out/world.png"),
    seed: int = 0,
    model: options.WorldFolder = None,
) -> None:
    """Write a sheet of samples: every class, some colours, and pairs, without guidance.

    Parameters
    ----------
    out
        PNG file that the sheet is written to.
    seed
        Seed of the noise, the same for every prompt.
    """
    from heedful.images import Gallery, parse_seeds
    from heedful.report import sheet
    from heedful.world import load

    parse_seeds(str(seed))
    Gallery(out.parent).check()
    say(f"Samples: {sheet(load(_chosen(name, model)), out, seed)}")


@app.command
def evaluate(
    name: options.WorldName = None,
    /,
    *,
    out: options.Out = Path("out/world"),
    single_seeds: int = 16,
    single_steps: str = "20",
    two_seeds: int = 8,
    three_seeds: int = 4,
    pointing_seeds: int = 2,
    miniature: bool = False,
    model: options.WorldFolder = None,
    threads: options.Threads = None,
) -> None:
    """Measure the figures of the card, as JSON: images, maps, speed, detector, autoencoder, CLIP.

    A killed run goes on.

    Parameters
    ----------
    single_seeds
        Seeds of the 156 single-concept prompts.
    single_steps
        Denoising steps of the single concepts, with commas: a row for each number.
    two_seeds
        Seeds of the 276 two-concept prompts.
    three_seeds
        Seeds of the 60 three-concept prompts.
    pointing_seeds
        Seeds of the 276 two-concept prompts whose maps are read.
    miniature
        Make a few images and renders of each kind, to try the machinery.
    """
    from heedful.files import write_atomic
    from heedful.images import at_least
    from heedful.lab import Trial, play, pointing_figures, retrieval_figures
    from heedful.lab import world_figures as figures
    from heedful.report import pointing_table
    from heedful.world import (
        APART,
        folder_of,
        font_is_installed,
        load,
        load_clip,
        load_detector,
        two_concept_prompts,
    )
    from heedful.world.training import RECIPES

    options.use_threads(threads)
    steps = _numbers(single_steps)
    seeds = {"single": single_seeds, "two": two_seeds, "three": three_seeds}
    for suite, count in {**seeds, "pointing": pointing_seeds}.items():
        at_least(0, count, 0, f"seeds for {suite}")
    if not any(seeds.values()):
        raise SettingsError("Expected seeds for one kind of prompt or more, got 0 for all of them.")
    chosen = _chosen(name, model)
    style = RECIPES[chosen].style if isinstance(chosen, str) else APART
    pipe, detector = load(chosen), load_detector(chosen)
    pipe.set_progress_bar_config(disable=True)
    every, part = (92, 64) if miniature else (1, 1)
    with counting(err) as on_images:
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
        measured["loading"] = figures.loading_figures(folder_of(chosen))
    if font_is_installed():
        measured["detector"] = figures.detector_figures(detector, 2048 // part, style)
        measured["autoencoder"] = figures.autoencoder_figures(pipe, 256 // part, style)
        measured["clip"] = retrieval_figures(*load_clip(chosen), sets=1 if miniature else 10)
    if name is not None:
        measured |= {"world": name, "sampler": type(pipe.scheduler).__name__}
    write_atomic(out / "figures.json", json.dumps(measured, indent=1))
    say_json(measured)


@app.command
def audit(
    name: options.WorldName = None,
    /,
    *,
    out: options.Out = Path("out/audit"),
    images: int = 300,
    seeds: int = 4,
    records: Path | None = None,
    blind: bool = False,
    model: options.WorldFolder = None,
    threads: options.Threads = None,
) -> None:
    """Write sheets of images, as many of each verdict, and a list to fill in. A killed run goes on.

    Write into the field `seen` of the list what you see, `success` or faults with commas, then: heedful world agreement

    Parameters
    ----------
    images
        How many images to look at.
    seeds
        Seeds of the 276 two-concept prompts that images are drawn from.
    records
        File of records that images are drawn from instead: FOLDER/two.jsonl of evaluate.
    blind
        Leave the verdicts off the pages.
    """
    from heedful.guidance import NONE
    from heedful.images import at_least
    from heedful.lab import Trial, run_trial
    from heedful.lab import audit as audits
    from heedful.report import write_audit
    from heedful.world import load, load_detector, two_concept_prompts

    options.use_threads(threads)
    at_least(1, images, 1, "images")
    at_least(1, seeds, 1, "seeds")
    found = None if records is None else _draw(records, images)
    chosen = _chosen(name, model)
    pipe, detector = load(chosen), load_detector(chosen)
    pipe.set_progress_bar_config(disable=True)
    with counting(err) as on_images:
        if found is None:
            fresh = range(audits.AUDIT_SEED, audits.AUDIT_SEED + seeds)
            trial = Trial(prompts=two_concept_prompts(), seeds=tuple(fresh))
            records = out / "records.jsonl"
            run_trial(
                pipe, detector, trial, NONE, records, on_images=lambda done, total: on_images("making", done, total)
            )
            found = _draw(records, images)
        made, cases, how = found
        judged = audits.judge_again(
            pipe,
            detector,
            cases,
            **how,
            on_images=lambda done, total: on_images("making those drawn", done, total),
        )
    drawn = Counter(case.kind for case in cases)
    tell("Drawn: " + ", ".join(f"{drawn[kind]} {kind}" for kind in audits.KINDS))
    say(f"List: {write_audit(judged, audits.shares_of(made), out, blind=blind)}")


@app.command
def agreement(file: Path, /, *, as_json: options.Json = False) -> None:
    """Say how far a person's verdicts agree with the judge's, with 95 % intervals.

    Parameters
    ----------
    file
        List of an audit (audit.json), filled in.
    """
    from heedful.lab import agreement as agree
    from heedful.report import agreement_lines

    with expecting("the list of an audit", file):
        found = agree(file)
    if as_json:
        say_json(found)
    else:
        say("\n".join(agreement_lines(found)))


@app.command
def instances(*, out: options.Out = Path("out/instances")) -> None:
    """Draw the one-image concepts that come with heedful again, from their stated seeds; needs the emoji font."""
    from heedful.world import write_instances

    say(f"One-image concepts: {write_instances(out)}")


@app.command
def train(
    name: options.WorldName = None,
    /,
    *,
    out: options.Out,
    start: Path | None = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
    miniature: bool = False,
) -> None:
    """Make a model as its recipe says, or from `--start`; killed at any moment, the same command goes on.

    Parameters
    ----------
    start
        Folder of a world model that is trained further.
    miniature
        Take a recipe of seconds that makes no usable model, to try the machinery.
    """
    from heedful.models import find_device
    from heedful.report import loss_curves
    from heedful.world.training import MINIATURE, RECIPES
    from heedful.world.training import train as train_world

    options.use_threads(threads)
    find_device(device)
    with counting(err) as show:
        phases: set[str] = set()

        def on_step(phase: str, step: int, steps: int, loss: float) -> None:
            if phases and phase not in phases:  # a phase has ended, and its losses are written
                loss_curves(out / "training")
            phases.add(phase)
            show(phase, step, steps, f" (loss {loss:.4f})")

        recipe = MINIATURE if miniature else RECIPES[str(_chosen(name, None))]
        folder = train_world(out, recipe, start=start, device=device, on_step=on_step)
    say(f"Losses: {loss_curves(out / 'training')}")
    say(f"Model: {folder}")


def _chosen(name: str | None, model: Path | None) -> str | Path:
    """Return the name or the folder of the model that is meant, the first embedded one if neither is given."""
    from heedful.world import DEFAULT, WORLDS

    if name is not None and model is not None:
        raise SettingsError(f"Expected the name of an embedded model or a folder, got both, {name} and {model}.")
    if name is not None and name not in WORLDS:
        raise ModelNotFound(f"Expected an embedded model ({', '.join(WORLDS)}), got {name}. Take one of these.")
    return model or name or DEFAULT


def _draw(records: Path, count: int) -> tuple[Any, Any, dict[str, Any]]:
    """Return records, those drawn of them, and how they are made again; raises `SettingsError`."""
    from heedful.lab import audit as audits

    with expecting("records of heedful world evaluate", records):
        made, how = audits.read_records(records)
        again = {"steps": int(how["steps"]), "guidance_scale": float(how["guidance_scale"])}
        return made, audits.draw_cases(made, count), again


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError as error:
        raise SettingsError(
            f"Expected numbers of denoising steps with commas, such as 20,30,50, got {text!r}."
        ) from error
