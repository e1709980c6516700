"""`heedful world`: the embedded models, their cards, samples and figures, and how each is made again."""

from pathlib import Path

from cyclopts import App

from heedful.cli import options
from heedful.cli.console import err, say, say_json
from heedful.cli.progress import counting
from heedful.cli.reading import expecting, read_json, read_text
from heedful.cli.world_audit import agreement, audit
from heedful.cli.world_evaluate import evaluate
from heedful.errors import ModelNotFound, SettingsError
from heedful.files import write_atomic

app = App(
    name="world",
    group_parameters=options.OPTIONS,
    help="The embedded models: their cards, samples and figures, and how they are made.",
)
for command in (evaluate, audit, agreement):
    app.command(command)


@app.command(name="list")
def list_worlds(*, as_json: options.Json = False) -> None:
    """List the embedded models by name; `--model world:NAME` takes one of them anywhere."""
    from heedful.world import WORLDS, folder_of

    rows = [
        {
            "name": name,
            "what": what,
            "folder": str(folder_of(name)),
            "megabytes": round(
                sum(file.stat().st_size for file in folder_of(name).rglob("*") if file.is_file()) / 1e6, 1
            ),
        }
        for name, what in WORLDS.items()
    ]
    if as_json:
        say_json(rows)
    else:
        say("\n".join(f"{row['name']}: {row['what']} ({row['megabytes']} MB)" for row in rows))


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

    text = _read_card(folder_of(options.chosen_world(name, model)) / "README.md")
    if figures is not None:
        with expecting("figures of heedful world evaluate", figures):
            text = with_figures(text, read_json(figures, "figures of heedful world evaluate"))
    say(text)


def _read_card(path: Path) -> str:
    if not path.is_file():
        raise ModelNotFound(
            f"Expected a model card at {path}, found none. Make the model: heedful world train --out FOLDER"
        )
    return read_text(path, "a model card")


@app.command
def sample(
    name: options.WorldName = None,
    /,
    *,
    out: Path | None = None,
    on_card: Path | None = None,
    seed: int = 0,
    steps: int = 20,
    model: options.WorldFolder = None,
) -> None:
    """Write a sheet of samples: every class, some colours, and pairs, without guidance.

    Parameters
    ----------
    out
        PNG file that the sheet is written to; out/world.png unless it is named.
    on_card
        Folder of a model card, which gets two rows of samples instead: FOLDER/samples.png, shown in FOLDER/README.md.
    seed
        Seed of the noise, the same for every prompt.
    steps
        Denoising steps per image.
    """
    from heedful.images import Gallery, at_least, parse_seeds
    from heedful.report import card_sheet, sheet, with_samples
    from heedful.world import load

    parse_seeds(str(seed))
    at_least(1, steps, steps, "steps")
    chosen = options.chosen_world(name, model)
    if on_card is None:
        out = out or Path("out/world.png")
        Gallery(out.parent).check()
        say(f"Samples: {sheet(load(chosen), out, seed, steps)}")
        return
    if out is not None:
        raise SettingsError("Expected a file for the sheet (--out) or the folder of a card (--on-card), got both.")
    text = _read_card(on_card / "README.md")
    picture = card_sheet(load(chosen), on_card / "samples.png", seed, steps)
    what = f"--model {chosen}" if isinstance(chosen, Path) else chosen
    command = f"heedful world sample {what} --on-card FOLDER --seed {seed} --steps {steps}"
    say(f"Card: {write_atomic(on_card / 'README.md', with_samples(text, picture.name, command))}")


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

        recipe = MINIATURE if miniature else RECIPES[str(options.chosen_world(name, None))]
        folder = train_world(out, recipe, start=start, device=device, on_step=on_step)
    say(f"Losses: {loss_curves(out / 'training')}")
    say(f"Model: {folder}")
