"""`heedful see`: what the denoiser looks at for each concept, step by step.

Knows which pictures and files are made of it.
"""

from io import BytesIO
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
    from heedful.files import write_atomic
    from heedful.images import Gallery, Wish, folder_name, look, make_plan
    from heedful.models import ModelOptions, open_model
    from heedful.report import concept_overlay, step_sheet

    chosen, things = find_method(method), split_list(concepts, "concepts")
    Gallery(out_folder).check()
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
    wish = Wish(
        prompts=[prompt],
        methods=[chosen],
        seeds=[seed],
        concepts=things,
        steps=steps,
        guidance_scale=guidance_scale,
        width=width,
        height=height,
    )
    plan = make_plan(loaded, Gallery(out_folder), wish, overwrite=True)
    for remark in plan.remarks:
        tell(f"Note: {remark}")
    with Progress(console=err) as progress:
        task = progress.add_task("Steps", total=plan.sampling.steps)
        sight = look(loaded, plan, on_step=lambda: progress.advance(task))
    folder = out_folder / chosen.name / folder_name(sight.prompt.text) / str(seed)
    files = {"image.png": sight.image, "sheet.png": step_sheet(sight)}
    for place, name in enumerate(sight.names):
        files[f"overlay {folder_name(name)}.png"] = concept_overlay(sight, place)
    for file, picture in files.items():
        buffer = BytesIO()
        picture.save(buffer, format="PNG")
        write_atomic(folder / file, buffer.getvalue())
    sight.write_maps(folder)
    if as_json:
        say_json({"folder": str(folder), "files": [*files, "maps.safetensors", "maps.json"]} | sight.figures())
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
