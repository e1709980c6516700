"""Options that several commands share, said once.

Knows their names and help texts. Knows nothing of what they do.
"""

from pathlib import Path
from typing import Annotated

import typer

_MODEL, _MAKING, _INPAINTING = "Model", "How the images are made", "Painting into a picture"

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="FOLDER|ID",
        help="Folder of a diffusers pipeline (safetensors), or a hub id such as owner/name. "
        "Without it, the small embedded model is used, which needs no download.",
        show_default=False,
        rich_help_panel=_MODEL,
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="auto|cpu|cuda|mps", help="Where it runs.", rich_help_panel=_MODEL)
]
DtypeOption = Annotated[
    str | None,
    typer.Option(
        "--dtype",
        metavar="float32|float16|bfloat16",
        help="Precision of the model. Without it: float32 on a CPU and for the embedded model, float16 on a GPU.",
        show_default=False,
        rich_help_panel=_MODEL,
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="NAME",
        help="Another scheduler of diffusers, such as ddim or euler. Without it, the model's own.",
        show_default=False,
        rich_help_panel=_MODEL,
    ),
]
StepsOption = Annotated[
    int | None,
    typer.Option(
        "--steps",
        help="Denoising steps. Without it: 20 on the embedded model, else 50.",
        show_default=False,
        rich_help_panel=_MAKING,
    ),
]
ScaleOption = Annotated[
    float | None,
    typer.Option(
        "--guidance-scale",
        help="Weight of classifier-free guidance. Without it: 3 on the embedded model, else 7.5.",
        show_default=False,
        rich_help_panel=_MAKING,
    ),
]
BatchOption = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        help="Images made together. Without it: 8 on the embedded model, else 1.",
        show_default=False,
        rich_help_panel=_MAKING,
    ),
]
WidthOption = Annotated[
    int | None,
    typer.Option("--width", help="Pixels. Without it, the model's own.", show_default=False, rich_help_panel=_MAKING),
]
HeightOption = Annotated[
    int | None,
    typer.Option("--height", help="Pixels. Without it, the model's own.", show_default=False, rich_help_panel=_MAKING),
]
ConceptsOption = Annotated[
    str | None,
    typer.Option(
        "--concepts",
        metavar='"cat,blue clock"',
        help="What must be heeded, in words of the prompt. Without it: what is \\[marked] in the prompt, "
        "else the things that the prompt names.",
        show_default=False,
    ),
]
ConceptsFromOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--concepts-from",
        metavar="FOLDER",
        help="Concepts that `heedful teach` has written; may be repeated.",
        show_default=False,
        rich_help_panel=_MODEL,
    ),
]
LoraOption = Annotated[
    list[str] | None,
    typer.Option(
        "--lora",
        metavar="FILE|FOLDER|ID\\[=WEIGHT]",
        help="A LoRA (safetensors) on top, of weight 1 unless given; may be repeated. "
        "On a hub: owner/name or owner/name/FILE.safetensors.",
        show_default=False,
        rich_help_panel=_MODEL,
    ),
]
ImageOption = Annotated[
    Path | None,
    typer.Option(
        "--image", metavar="FILE", help="A picture to paint into.", show_default=False, rich_help_panel=_INPAINTING
    ),
]
MaskImageOption = Annotated[
    Path | None,
    typer.Option(
        "--mask-image",
        metavar="FILE",
        help="White where it is painted anew.",
        show_default=False,
        rich_help_panel=_INPAINTING,
    ),
]
StrengthOption = Annotated[
    float | None,
    typer.Option(
        "--strength",
        help="Of the noise that the painting begins from, at most 1. Without it: 1.",
        show_default=False,
        rich_help_panel=_INPAINTING,
    ),
]
OutOption = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the images go.")]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Make images again that are there, instead of going on from them.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout; progress goes to stderr.")]
WorldModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model", metavar="FOLDER", help="A world model of your own. Without it, the embedded one.", show_default=False
    ),
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", help="Threads of torch. Without it, torch's choice.", show_default=False)
]
MasksOption = Annotated[
    bool, typer.Option("--masks", help="Find each concept's mask and box in the maps; OUT/masks.json has them (COCO).")
]
