"""`heedful generate`: prompts in, guided images out."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from heedful.catalogue import DEFAULT_METHOD, METHODS
from heedful.cli import options
from heedful.cli.console import (
    INTERRUPTED,
    err,
    number,
    say,
    say_json,
    say_table,
    tell,
    tell_concepts,
    tell_notes,
    write_png,
)
from heedful.cli.progress import image_progress
from heedful.errors import SettingsError

if TYPE_CHECKING:
    from heedful.images import Gallery, Line, Made, Plan
    from heedful.models import Model


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which images are made: the prompts, methods and seeds."""

    prompts_file: Annotated[Path | None, Parameter("--prompts")] = None
    """Text file with one more prompt per line."""
    method: Annotated[
        options.MethodName | None,
        Parameter(help=f"How the images are steered: {', '.join(METHODS)}. Without it: {DEFAULT_METHOD}."),
    ] = None
    compare: str | None = None
    """Several methods on the same seeds, side by side in one grid: none,a-star."""
    seeds: options.Seeds = "0-3"
    concepts: options.Concepts = None


def generate(
    *prompts: str,
    choice: Annotated[Choice, Parameter(name="*")] = Choice(),
    out: options.Out = Path("out"),
    overwrite: options.Overwrite = False,
    masks: options.Masks = False,
    as_json: options.Json = False,
    sampling: options.Sampling = options.SamplingOptions(),
    model: options.Model = options.ModelOptions(),
    inpainting: options.Inpainting = options.InpaintingOptions(),
) -> None:
    """Make images in which every concept of the prompt is heeded.

    Images go to OUT/METHOD/PROMPT/SEED.png, their settings to OUT/metadata.jsonl, and a labelled grid of all of them to
    OUT/grid.png, whose path is the last line printed. The same command again goes on where it was stopped and makes
    nothing twice.

    Example: `heedful generate "a cat and a blue clock" --compare none,attend-and-excite --seeds 0-3`

    Parameters
    ----------
    prompts
        What the images should show.
    """
    from heedful.cli.choices import find_method, find_methods, split_list
    from heedful.cli.reading import read_prompts
    from heedful.images import (
        Gallery,
        Wish,
        clear,
        find_judge,
        for_inpainting,
        make_plan,
        parse_seeds,
        read_inpainting,
        summarize,
        write_coco,
    )
    from heedful.models import open_model

    if choice.method is not None and choice.compare is not None:
        raise SettingsError("Expected either --method or --compare, got both. --compare none,a-star holds the methods.")
    methods = find_methods(choice.compare) if choice.compare else [find_method(choice.method or DEFAULT_METHOD)]
    seeds = parse_seeds(choice.seeds)
    concepts = None if choice.concepts is None else split_list(choice.concepts, "concepts")
    texts = [*prompts, *(read_prompts(choice.prompts_file) if choice.prompts_file is not None else [])]
    gallery = Gallery(out)
    image = read_inpainting(inpainting.image, inpainting.mask_image, inpainting.strength)
    gallery.check()
    with err.status("Loading the model ..."):
        loaded = open_model(model)
        if image is not None:
            loaded = for_inpainting(loaded)
    wish = Wish(
        prompts=texts, methods=methods, seeds=seeds, concepts=concepts, masks=masks, inpainting=image, **vars(sampling)
    )
    plan = make_plan(loaded, gallery, wish, overwrite=overwrite)
    tell_concepts(case.prompt for case in plan.cases)
    tell_notes(plan.remarks)
    if overwrite:
        clear(plan)
    if plan.done:
        tell(f"{len(plan.done)} of {len(plan.cases)} images are there already.")
    made = _make(loaded, gallery, plan)
    skipped = sum(one.outcome.skipped_updates for one in made)
    if skipped:
        tell(f"Note: {skipped} updates were left out because their gradient was not finite; try --dtype float32.")
    lines = summarize(plan.cases, made, find_judge(loaded))
    grid = _write_grid(loaded, gallery, plan)
    found = write_coco(gallery) if masks else None
    if as_json:
        say_json(_summary(loaded, gallery, plan, lines, grid) | ({"masks": str(found)} if found else {}))
        return
    _say_lines(lines)
    if found:
        say(f"Masks: {found}")
    say(str(grid))


def _make(model: "Model", gallery: "Gallery", plan: "Plan") -> "list[Made]":
    """Make what is left of `plan` behind a progress bar; after Ctrl-C say what is there, and exit."""
    from heedful.images import make_images

    made: list[Made] = []
    with image_progress(err, disable=not plan.todo) as progress:
        task = progress.add_task("Images", total=plan.todo)
        try:
            for one in make_images(model, gallery, plan, lambda share: progress.advance(task, share)):
                made.append(one)
        except KeyboardInterrupt:
            progress.stop()
            there = sum(case.path.exists() for case in plan.cases)
            tell(
                f"Interrupted: {there} of {len(plan.cases)} images are done and whole, in {gallery.folder}. "
                "The same command (without --overwrite) makes the rest."
            )
            raise SystemExit(INTERRUPTED) from None
    return made


def _write_grid(model: "Model", gallery: "Gallery", plan: "Plan") -> Path:
    """Write the labelled grid and return its path."""
    from heedful.report import arrange, compose

    note = f"{model.name} · {plan.sampling.steps} steps · guidance scale {plan.sampling.guidance_scale:g}"
    return write_png(gallery.folder / "grid.png", compose(arrange(plan, note=note)))


def _summary(model: "Model", gallery: "Gallery", plan: "Plan", lines: "list[Line]", grid: Path) -> dict[str, Any]:
    """Return what --json prints."""
    return {
        "out": str(gallery.folder),
        "grid": str(grid),
        "metadata": str(gallery.folder / "metadata.jsonl"),
        "model": model.name,
        "steps": plan.sampling.steps,
        "guidance_scale": plan.sampling.guidance_scale,
        "methods": [asdict(line) for line in lines],
        "images": [
            {
                "file": str(case.path),
                "method": case.method.name,
                "prompt": case.prompt.text,
                "concepts": [concept.name for concept in case.prompt.concepts],
                "seed": case.seed,
            }
            for case in plan.cases
        ],
    }


def _say_lines(lines: "list[Line]") -> None:
    """Print what a person reads after a run; columns that nobody can fill are left out."""
    columns = {
        "method": [line.method for line in lines],
        "images": [f"{one.images}" if one.made == one.images else f"{one.images} ({one.made} new)" for one in lines],
        "s/image": [number(line.seconds_per_image, ".2f") for line in lines],
        "final loss": [number(line.loss, ".3f") for line in lines],
        "success": [number(line.success, ".0%") for line in lines],
    }
    always = ("method", "images", "s/image")
    kept = {title: cells for title, cells in columns.items() if title in always or set(cells) != {"-"}}
    say_table([*kept], zip(*kept.values(), strict=True))
