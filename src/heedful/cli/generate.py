"""`heedful generate`: prompts in, guided images out."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from heedful.catalogue import DEFAULT_METHOD, METHODS
from heedful.cli import options
from heedful.cli.console import (
    FAILED,
    INTERRUPTED,
    err,
    number,
    say,
    say_json,
    say_table,
    tell,
    tell_concepts,
    tell_notes,
)
from heedful.cli.progress import image_progress
from heedful.cli.viewer import open_file
from heedful.errors import SettingsError

if TYPE_CHECKING:
    from heedful.images import Case, Gallery, MethodTally, Plan, Result

SUCCESS = "world.success"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which images are made: the prompts, methods and seeds."""

    prompts_file: Annotated[Path | None, Parameter("--prompts")] = None
    """Text file with one more prompt per line."""
    method: Annotated[
        options.MethodName | None,
        Parameter(
            help=f"How the images are steered: {', '.join(METHODS)}. Without it: {DEFAULT_METHOD}, or none "
            "with --concepts-from."
        ),
    ] = None
    compare: str | None = None
    """Several methods on the same seeds, side by side in one grid: none,a-star."""
    seeds: options.Seeds = "0-3"
    concepts: options.Concepts = None
    weights: options.PromptWeights = False


def generate(
    *prompts: str,
    choice: Annotated[Choice, Parameter(name="*")] = Choice(),
    out: options.Out = Path("out"),
    overwrite: options.Overwrite = False,
    masks: options.Masks = False,
    as_json: options.Json = False,
    open_it: options.Open = False,
    sampling: options.Sampling = options.SamplingOptions(),
    model: options.Model = options.ModelOptions(),
    inpainting: options.Inpainting = options.InpaintingOptions(),
) -> None:
    """Make images that show every concept of the prompt.

    Images go to OUT/METHOD/PROMPT/SEED.png, their settings to OUT/metadata.jsonl, and a labelled grid of all of them to
    OUT/grid.png, whose path is the last line printed. The same command again goes on where it was stopped and makes
    nothing twice.

    Example: `heedful generate "a cat and a blue clock" --compare none,attend-and-excite --seeds 0-3`

    Parameters
    ----------
    prompts
        What the images should show.
    """
    from heedful.cli.choices import read_method, read_methods, split_list
    from heedful.cli.reading import read_prompts
    from heedful.images import (
        Gallery,
        Request,
        clear,
        find_images,
        make_plan,
        parse_seeds,
        prompt_lines,
        read_inpainting,
        tally_images,
        write_coco,
        write_mask_images,
    )
    from heedful.models import open_model
    from heedful.scores import verdict_scores

    if choice.method is not None and choice.compare is not None:
        raise SettingsError("Expected either --method or --compare, got both. --compare none,a-star holds the methods.")
    # guidance costs taught looks more than it gives (docs/teach.md), so it is asked for
    usual = "none" if model.concepts_from else DEFAULT_METHOD
    methods = read_methods(choice.compare) if choice.compare else [read_method(choice.method or usual)]
    seeds = parse_seeds(choice.seeds)
    concepts = None if choice.concepts is None else split_list(choice.concepts, "concepts")
    texts = [*prompts, *(read_prompts(choice.prompts_file) if choice.prompts_file is not None else [])]
    lines = prompt_lines(texts, concepts)
    gallery, image = Gallery(out), read_inpainting(inpainting)
    gallery.check()
    with err.status("Loading the model ..."):
        loaded = open_model(model)
    request = Request(
        prompts=lines,
        methods=methods,
        seeds=seeds,
        sampling=sampling,
        inpainting=image,
        masks=masks,
        weights=choice.weights,
        scores=verdict_scores(loaded),
    )
    plan = make_plan(loaded, request)
    tell_concepts(plan.prompts)
    with gallery.locked():
        gallery.claim("metadata.jsonl", "grid.png", *(["masks.json"] if masks else []))
        plan = plan if overwrite else find_images(plan, gallery)
        tell_notes(plan.remarks)
        if overwrite:
            clear(plan, gallery)
        if plan.todo < len(plan):
            tell(f"{len(plan) - plan.todo} of {len(plan)} images are there already.")
        made = _make(gallery, plan)
        skipped = sum(result.trace.get("skipped_updates", 0) for result in made.values())
        if skipped:
            tell(f"Note: {skipped} updates were skipped because their gradient was not finite; try --dtype float32.")
        tallied = tally_images(plan, gallery, made)
        grid = _write_grid(gallery, plan, made)
        found = write_coco(gallery) if masks else None
        mask_images = write_mask_images(gallery) if masks else None
    new = Counter(case.method.name for case in plan.cases() if case.key in made and made[case.key].error is None)
    if as_json:
        say_json(
            _summary(gallery, plan, tallied, new, grid)
            | ({"masks": str(found), "mask_images": str(mask_images)} if found else {})
        )
    else:
        _say_lines(tallied, new)
        if found:
            say(f"Masks: {found}, and as PNG below {mask_images}")
        say(str(grid))
    if open_it:
        open_file(grid)
    errors = [result.error for result in made.values() if result.error is not None]
    if errors:
        tell(f"{len(errors)} images failed: {errors[-1]}")
        raise SystemExit(FAILED)


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
            raise SystemExit(INTERRUPTED) from None
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
    drawn = compose(arrange(plan.cases(), find, note=note))
    return write_atomic(gallery.inside("grid.png"), png_bytes(drawn), through=gallery.parts)


def _summary(
    gallery: "Gallery", plan: "Plan", tallied: "list[MethodTally]", new: "Counter[str]", grid: Path
) -> dict[str, Any]:
    """Return what --json prints."""
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


def _say_lines(tallied: "list[MethodTally]", new: "Counter[str]") -> None:
    """Print what a person reads after a run; columns that nobody can fill are skipped."""
    columns = {
        "method": [one.method for one in tallied],
        "images": [
            f"{one.done}" if new[one.method] == one.done else f"{one.done} ({new[one.method]} new)" for one in tallied
        ],
        "s/image": [number(one.seconds_per_image, ".2f") for one in tallied],
        "final loss": [number(one.loss, ".3f") for one in tallied],
        "success": [number(one.figures.get(SUCCESS), ".0%") for one in tallied],
    }
    always = ("method", "images", "s/image")
    kept = {title: cells for title, cells in columns.items() if title in always or set(cells) != {"-"}}
    say_table([*kept], zip(*kept.values(), strict=True))
