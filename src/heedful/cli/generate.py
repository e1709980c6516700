"""`heedful generate`: prompts in, guided images out.

Knows the order of things: check everything, make what is not there yet, say what came of it.
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from heedful.catalogue import DEFAULT_METHOD, METHODS
from heedful.cli.console import INTERRUPTED, err, out, say, say_json, tell
from heedful.cli.options import (
    BatchOption,
    ConceptsFromOption,
    ConceptsOption,
    DeviceOption,
    DtypeOption,
    HeightOption,
    ImageOption,
    JsonOption,
    LoraOption,
    MaskImageOption,
    MasksOption,
    ModelOption,
    OutOption,
    OverwriteOption,
    ScaleOption,
    SchedulerOption,
    StepsOption,
    StrengthOption,
    WidthOption,
)
from heedful.cli.progress import image_progress
from heedful.errors import SettingsError

if TYPE_CHECKING:
    from heedful.images import Gallery, Line, Made, Plan
    from heedful.models import Model

METHOD_NAMES = ", ".join(METHODS)


def generate(
    prompts: Annotated[
        list[str] | None, typer.Argument(metavar="PROMPT...", help="What the images should show.", show_default=False)
    ] = None,
    prompts_file: Annotated[
        Path | None,
        typer.Option("--prompts", metavar="FILE", help="Text file with one more prompt a line.", show_default=False),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            metavar="NAME",
            help=f"How the images are steered: {METHOD_NAMES}. Without it: {DEFAULT_METHOD}.",
            show_default=False,
        ),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare",
            metavar="NAME,NAME...",
            help="Several methods on the same seeds, side by side in one grid: none,a-star.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="0-3", help="One image per seed: 0-3 (both ends), 0,5,7 or 0-3,8.")
    ] = "0-3",
    concepts: ConceptsOption = None,
    out_folder: OutOption = Path("out"),
    overwrite: OverwriteOption = False,
    masks: MasksOption = False,
    as_json: JsonOption = False,
    steps: StepsOption = None,
    guidance_scale: ScaleOption = None,
    width: WidthOption = None,
    height: HeightOption = None,
    batch_size: BatchOption = None,
    model: ModelOption = None,
    scheduler: SchedulerOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = None,
    concepts_from: ConceptsFromOption = None,
    lora: LoraOption = None,
    image: ImageOption = None,
    mask_image: MaskImageOption = None,
    strength: StrengthOption = None,
) -> None:
    """Make images in which every concept of the prompt is heeded.

    Images go to OUT/METHOD/PROMPT/SEED.png, their settings to OUT/metadata.jsonl, and a labelled grid of all of them to
    OUT/grid.png, whose path is the last line printed. The same command again goes on where it was stopped and makes
    nothing twice.

    Example: `heedful generate "a cat and a blue clock" --compare none,attend-and-excite --seeds 0-3`
    """
    from heedful.cli.choices import find_method, read_prompts, split_list
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
    )
    from heedful.models import ModelOptions, open_model

    if method is not None and compare is not None:
        raise SettingsError("Expected either --method or --compare, got both. --compare none,a-star holds the methods.")
    names = split_list(compare, "methods") or [method or DEFAULT_METHOD]
    methods = [find_method(name) for name in dict.fromkeys(names)]
    numbers = parse_seeds(seeds)
    things = split_list(concepts, "concepts")
    texts = [*(prompts or []), *(read_prompts(prompts_file) if prompts_file is not None else [])]
    gallery = Gallery(out_folder)
    inpainting = read_inpainting(image, mask_image, strength)
    gallery.check()
    with err.status("Loading the model ..."):
        loaded = open_model(
            ModelOptions(
                model=model,
                device=device,
                dtype=dtype,
                scheduler=scheduler,
                concepts_from=tuple(concepts_from or ()),
                lora=tuple(lora or ()),
            )
        )
        if inpainting is not None:
            loaded = for_inpainting(loaded)
    wish = Wish(
        prompts=texts,
        methods=methods,
        seeds=numbers,
        concepts=things,
        steps=steps,
        guidance_scale=guidance_scale,
        width=width,
        height=height,
        batch_size=batch_size,
        masks=masks,
        inpainting=inpainting,
    )
    plan = make_plan(loaded, gallery, wish, overwrite=overwrite)
    for remark in plan.remarks:
        tell(f"Note: {remark}")
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
    found = _write_masks(gallery) if masks else None
    if as_json:
        say_json(_summary(loaded, gallery, plan, lines, grid) | ({"masks": str(found)} if found else {}))
    else:
        out.print(_table(lines), soft_wrap=False)
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
            raise typer.Exit(INTERRUPTED) from None
    return made


def _write_grid(model: "Model", gallery: "Gallery", plan: "Plan") -> Path:
    """Write the labelled grid and return its path."""
    from io import BytesIO

    from heedful.files import write_atomic
    from heedful.report import arrange, compose

    buffer = BytesIO()
    compose(
        arrange(
            plan, note=f"{model.name} · {plan.sampling.steps} steps · guidance scale {plan.sampling.guidance_scale:g}"
        )
    ).save(buffer, format="PNG")
    return write_atomic(gallery.folder / "grid.png", buffer.getvalue())


def _write_masks(gallery: "Gallery") -> Path:
    """Write the masks that the images carry as one COCO file, and return its path."""
    from heedful.images import write_coco

    return write_coco(gallery)


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


def _table(lines: "list[Line]") -> Table:
    """Return what a person reads after a run; columns that nobody can fill are left out."""
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("method")
    for title in ("images", "s/image", "final loss", "success"):
        table.add_column(title, justify="right")
    for line in lines:
        table.add_row(
            line.method,
            str(line.images) if line.made == line.images else f"{line.images} ({line.made} new)",
            _number(line.seconds_per_image, ".2f"),
            _number(line.loss, ".3f"),
            _number(line.success, ".0%"),
        )
    for position, values in ((4, [line.success for line in lines]), (3, [line.loss for line in lines])):
        if all(value is None for value in values):
            table.columns.pop(position)
    return table


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
