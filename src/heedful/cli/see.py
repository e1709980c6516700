"""`heedful see`: what the denoiser looks at for each concept, step by step."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress

from heedful.cli import options
from heedful.cli.console import err, say, say_json, say_table, tell_concepts, tell_notes

if TYPE_CHECKING:
    from heedful.images import Sight


def see(
    prompt: str,
    /,
    *,
    seed: int = 0,
    method: options.MethodName = "none",
    concepts: options.Concepts = None,
    out: options.Out = Path("out/see"),
    as_json: options.Json = False,
    sampling: options.OneImage = options.OneImageOptions(),
    model: options.Model = options.ModelOptions(),
) -> None:
    """Make one image and show where the model looks for each concept.

    Writes to OUT/METHOD/PROMPT/SEED/: image.png, an overlay per concept, sheet.png (concepts by steps), all maps in
    maps.safetensors, and figures in maps.json: peak, overlap of each pair of concepts, retention from step to step.
    The path of the sheet is the last line printed. Files of an earlier run are replaced.

    Example: `heedful see "a cat and a blue clock" --seed 3`

    Parameters
    ----------
    prompt
        What the image should show.
    seed
        Seed of the image.
    method
        How the image is steered; none only looks. The names are those of `heedful generate --help`.
    """
    from heedful.cli.choices import read_method, split_list
    from heedful.image_files import png_bytes
    from heedful.images import Gallery, Request, check_look, folder_name, look, make_plan, parse_seeds, prompt_lines
    from heedful.models import open_model
    from heedful.report import concept_overlay, step_sheet

    chosen, seeds = read_method(method), parse_seeds(str(seed))
    named = None if concepts is None else split_list(concepts, "concepts")
    gallery = Gallery(out)
    gallery.check()
    with err.status("Loading the model ..."):
        loaded = open_model(model)
    request = Request(prompts=prompt_lines([prompt], named), methods=[chosen], seeds=seeds, sampling=sampling)
    plan = make_plan(loaded, request)
    tell_concepts(plan.prompts)
    tell_notes(plan.remarks)
    check_look(plan)
    with gallery.locked():
        with Progress(console=err) as progress:
            task = progress.add_task("Steps", total=plan.sampling.steps)
            sight = look(plan, on_step=lambda: progress.advance(task))
        images = {"image.png": sight.image, "sheet.png": step_sheet(sight)}
        for position, name in enumerate(sight.names):
            images[f"overlay {folder_name(name)}.png"] = concept_overlay(sight, position)
        files = {name: png_bytes(image) for name, image in images.items()} | sight.files()
        where = next(plan.cases()).image.removesuffix(".png")
        gallery.claim(*(f"{where}/{name}" for name in files))
        gallery.write({f"{where}/{name}": content for name, content in files.items()})
    folder = out / where
    if as_json:
        say_json({"out": str(folder), "files": [*files]} | sight.figures())
        return
    _say_figures(sight)
    say(str(folder / "sheet.png"))


def _say_figures(sight: "Sight") -> None:
    """Print the figures of the last step, and the means over all steps."""
    steps = sight.figures()["steps"]
    rows = []
    for kind in ("overlap", "retention"):
        for name in steps[-1][kind]:
            values = [step[kind][name] for step in steps if name in step[kind]]
            rows.append((f"{kind} {name}", f"{sum(values) / len(values):.2f}", f"{values[-1]:.2f}"))
    for name, (x, y) in steps[-1]["peak"].items():
        rows.append((f"peak {name} (x, y)", "", f"{x:.2f}, {y:.2f}"))
    say_table(("", "mean over the steps", "last step"), rows)
