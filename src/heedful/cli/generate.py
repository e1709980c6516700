"""`heedful generate`: prompts in, guided images out.

Knows the order of things: check everything, make what is not there yet, say what came of it.
"""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from heedful.catalogue import DEFAULT_METHOD, METHODS
from heedful.cli.console import FAILED, INTERRUPTED, err, out, say, say_json, tell
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
    from heedful.images import Case, Gallery, MethodTally, Plan, Result

METHOD_NAMES = ", ".join(METHODS)


SUCCESS = "world.success"
_FILES = ("metadata.jsonl", "grid.png", "masks.json")


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
        InpaintingOptions,
        Request,
        SamplingOptions,
        clear,
        find_images,
        make_plan,
        parse_seeds,
        prompt_lines,
        read_inpainting,
        tally_images,
        write_coco,
    )
    from heedful.models import ModelOptions, open_model
    from heedful.scores import verdict_scores

    if method is not None and compare is not None:
        raise SettingsError("Expected either --method or --compare, got both. --compare none,a-star holds the methods.")
    names = split_list(compare, "methods") or [method or DEFAULT_METHOD]
    methods = [find_method(name) for name in dict.fromkeys(names)]
    numbers = parse_seeds(seeds)
    things = split_list(concepts, "concepts")
    texts = [*(prompts or []), *(read_prompts(prompts_file) if prompts_file is not None else [])]
    lines = prompt_lines(texts, things)
    gallery = Gallery(out_folder)
    inpainting = read_inpainting(InpaintingOptions(image=image, mask_image=mask_image, strength=strength))
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
    request = Request(
        prompts=lines,
        methods=methods,
        seeds=numbers,
        sampling=SamplingOptions(
            steps=steps, guidance_scale=guidance_scale, width=width, height=height, batch_size=batch_size
        ),
        scores=verdict_scores(loaded),
        masks=masks,
        inpainting=inpainting,
    )
    plan = make_plan(loaded, request)
    with gallery.locked():
        gallery.claim(*_FILES)
        if overwrite:
            clear(plan, gallery)
        plan = find_images(plan, gallery)
        for remark in plan.remarks:
            tell(f"Note: {remark}")
        if plan.todo < len(plan):
            tell(f"{len(plan) - plan.todo} of {len(plan)} images are there already.")
        made = _make(gallery, plan)
        skipped = sum(result.trace.get("skipped_updates", 0) for result in made.values())
        if skipped:
            tell(f"Note: {skipped} updates were left out because their gradient was not finite; try --dtype float32.")
        tallied = tally_images(plan, gallery, made)
        grid = _write_grid(gallery, plan, made)
        found = write_coco(gallery) if masks else None
    if as_json:
        say_json(_summary(gallery, plan, tallied, made, grid) | ({"masks": str(found)} if found else {}))
    else:
        out.print(_table(tallied, _count(plan, made)), soft_wrap=False)
        if found:
            say(f"Masks: {found}")
        say(str(grid))
    failed = [result.error for result in made.values() if result.error is not None]
    if failed:
        tell(f"{len(failed)} images failed: {failed[-1]}")
        raise typer.Exit(FAILED)


def _make(gallery: "Gallery", plan: "Plan") -> "dict[str, Result]":
    """Make what is left of `plan` behind a progress bar; after Ctrl-C say what is there, and exit."""
    from heedful.images import make_images

    made: dict[str, Result] = {}
    with image_progress(err, disable=not plan.todo) as progress:
        task = progress.add_task("Images", total=plan.todo)
        try:
            for case, result in make_images(plan, gallery, lambda share: progress.advance(task, share)):
                made[case.key] = result
        except KeyboardInterrupt:
            progress.stop()
            there = sum((gallery.folder / case.image).exists() for case in plan.cases())
            tell(
                f"Interrupted: {there} of {len(plan)} images are done and whole, in {gallery.folder}. "
                "The same command (without --overwrite) makes the rest."
            )
            raise typer.Exit(INTERRUPTED) from None
    return made


def _write_grid(gallery: "Gallery", plan: "Plan", made: "dict[str, Result]") -> Path:
    """Write the labelled grid and return its path."""
    from heedful.files import write_atomic
    from heedful.image_files import png_bytes
    from heedful.report import arrange, compose

    def find(case: "Case") -> "Path | bytes | None":
        path = gallery.folder / case.image
        png = made[case.key].png if case.key in made else None
        return png or (path if path.exists() else None)

    sampling = plan.sampling
    note = f"{plan.model.name} · {sampling.steps} steps · guidance scale {sampling.guidance_scale:g}"
    return write_atomic(gallery.inside("grid.png"), png_bytes(compose(arrange(plan.cases(), find, note=note))))


def _summary(
    gallery: "Gallery", plan: "Plan", tallied: "list[MethodTally]", made: "dict[str, Result]", grid: Path
) -> dict[str, Any]:
    """Return what --json prints."""
    new = _count(plan, made)
    return {
        "out": str(gallery.folder),
        "grid": str(grid),
        "metadata": str(gallery.folder / "metadata.jsonl"),
        "model": plan.model.name,
        "steps": plan.sampling.steps,
        "guidance_scale": plan.sampling.guidance_scale,
        "methods": [
            {
                "method": line.method,
                "images": line.done,
                "made": new[line.method],
                "seconds_per_image": line.seconds_per_image,
                "loss": line.loss,
                "success": line.figures.get(SUCCESS),
            }
            for line in tallied
        ],
        "images": [
            {
                "file": str(gallery.folder / case.image),
                "method": case.method.name,
                "prompt": case.prompt.text,
                "concepts": case.concepts,
                "seed": case.seed,
            }
            for case in plan.cases()
        ],
    }


def _table(tallied: "list[MethodTally]", new: "Counter[str]") -> Table:
    """Return what a person reads after a run; columns that nobody can fill are left out."""
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("method")
    for title in ("images", "s/image", "final loss", "success"):
        table.add_column(title, justify="right")
    for line in tallied:
        table.add_row(
            line.method,
            str(line.done) if new[line.method] == line.done else f"{line.done} ({new[line.method]} new)",
            _number(line.seconds_per_image, ".2f"),
            _number(line.loss, ".3f"),
            _number(line.figures.get(SUCCESS), ".0%"),
        )
    for position, values in (
        (4, [line.figures.get(SUCCESS) for line in tallied]),
        (3, [line.loss for line in tallied]),
    ):
        if all(value is None for value in values):
            table.columns.pop(position)
    return table


def _count(plan: "Plan", made: "dict[str, Result]") -> "Counter[str]":
    """Return how many images of each method this run has made."""
    return Counter(case.method.name for case in plan.cases() if case.key in made and made[case.key].error is None)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
