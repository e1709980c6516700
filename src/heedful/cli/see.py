"""`heedful see`: what the denoiser looks at for each concept, step by step.

Knows which pictures and files are made of it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from heedful.cli.console import err, out, say, say_json, tell
from heedful.cli.options import (
    ConceptsFromOption,
    ConceptsOption,
    DeviceOption,
    DtypeOption,
    HeightOption,
    JsonOption,
    LoraOption,
    ModelOption,
    ScaleOption,
    SchedulerOption,
    StepsOption,
    WidthOption,
)

if TYPE_CHECKING:
    from heedful.images import Sight


def see(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What the image should show.", show_default=False)],
    seed: Annotated[int, typer.Option("--seed", help="The image's seed.", min=0)] = 0,
    method: Annotated[
        str, typer.Option("--method", metavar="NAME", help="How the image is steered; none only looks.")
    ] = "none",
    concepts: ConceptsOption = None,
    out_folder: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the files go.")] = Path("out/see"),
    as_json: JsonOption = False,
    steps: StepsOption = None,
    guidance_scale: ScaleOption = None,
    width: WidthOption = None,
    height: HeightOption = None,
    model: ModelOption = None,
    scheduler: SchedulerOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = None,
    concepts_from: ConceptsFromOption = None,
    lora: LoraOption = None,
) -> None:
    """Make one image and show where the model looks for each concept.

    Writes to OUT/METHOD/PROMPT/SEED/: image.png, an overlay per concept, sheet.png (concepts by steps), all maps in
    maps.safetensors, and figures in maps.json: peak, overlap of each pair of concepts, retention from step to step.
    The path of the sheet is the last line printed. Files of an earlier run are replaced.

    Example: `heedful see "a cat and a blue clock" --seed 3`
    """
    from heedful.cli.choices import find_method, split_list
    from heedful.image_files import png_bytes
    from heedful.images import Gallery, Request, SamplingOptions, folder_name, look, make_plan, prompt_lines
    from heedful.models import ModelOptions, open_model
    from heedful.report import concept_overlay, step_sheet

    chosen, things = find_method(method), split_list(concepts, "concepts")
    gallery = Gallery(out_folder)
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
        prompts=prompt_lines([prompt], things),
        methods=[chosen],
        seeds=[seed],
        sampling=SamplingOptions(steps=steps, guidance_scale=guidance_scale, width=width, height=height),
    )
    plan = make_plan(loaded, request)
    for remark in plan.remarks:
        tell(f"Note: {remark}")
    with gallery.locked():
        with Progress(console=err) as progress:
            task = progress.add_task("Steps", total=plan.sampling.steps)
            sight = look(plan, on_step=lambda: progress.advance(task))
        images = {"image.png": sight.image, "sheet.png": step_sheet(sight)}
        for place, name in enumerate(sight.names):
            images[f"overlay {folder_name(name)}.png"] = concept_overlay(sight, place)
        files = {name: png_bytes(image) for name, image in images.items()} | sight.files()
        where = next(plan.cases()).image.removesuffix(".png")
        written = {f"{where}/{name}": content for name, content in files.items()}
        gallery.claim(*written)
        gallery.write(written)
    folder = out_folder / where
    if as_json:
        say_json({"folder": str(folder), "files": list(files)} | sight.figures())
    else:
        out.print(_table(sight), soft_wrap=False)
        say(str(folder / "sheet.png"))


def _table(sight: "Sight") -> Table:
    """Return the figures of the last step, and the means over all steps."""
    figures = sight.figures()["steps"]
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    for title in ("", "mean over the steps", "last step"):
        table.add_column(title, justify="left" if not title else "right")
    for kind in ("overlap", "retention"):
        for name in figures[-1][kind]:
            values = [step[kind][name] for step in figures if name in step[kind]]
            table.add_row(f"{kind} {name}", f"{sum(values) / len(values):.2f}", f"{values[-1]:.2f}")
    for name, (x, y) in figures[-1]["peak"].items():
        table.add_row(f"peak {name} (x, y)", "", f"{x:.2f}, {y:.2f}")
    return table
