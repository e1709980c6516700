"""Options that several commands share, each said once: groups that a command takes whole, and single ones.

The fields of a group are its options, and their docstrings the help texts.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from heedful.catalogue import METHODS, TEACHING_METHODS
from heedful.errors import ModelNotFound, SettingsError
from heedful.options import InpaintingOptions, LoadOptions, ModelOptions, SamplingOptions

OPTIONS = Group("Options", sort_key=0)
"""What belongs to the command itself; it stands first."""


def group(title: str, **more: Any) -> Parameter:
    """Return what makes the fields of a dataclass options of a command, in a panel of their own."""
    return Parameter(name="*", group=Group(title, sort_key=1), **more)


@dataclass(frozen=True, kw_only=True)
class OneImageOptions(SamplingOptions):
    """How one image is sampled: what belongs to several at a time is no option."""

    batch_size: Annotated[int | None, Parameter(parse=False)] = None


Loading = Annotated[LoadOptions, group("Model")]
Model = Annotated[ModelOptions, group("Model")]
Sampling = Annotated[SamplingOptions, group("How the images are made")]
OneImage = Annotated[OneImageOptions, group("How the image is made")]
Inpainting = Annotated[InpaintingOptions, group("Inpainting")]


def _names(known: Iterable[str]) -> Callable[[Any], list[str]]:
    return lambda _context: list(known)


MethodName = Annotated[str, Parameter(completer=_names(METHODS))]
TeachingName = Annotated[str, Parameter(completer=_names(TEACHING_METHODS))]
AnyMethodName = Annotated[str, Parameter(completer=_names(dict.fromkeys((*METHODS, *TEACHING_METHODS))))]
Out = Annotated[Path, Parameter("--out", help="Folder that the results are written to.")]
Json = Annotated[bool, Parameter("--json", help="Print one JSON object to stdout; progress goes to stderr.")]
Open = Annotated[bool, Parameter("--open", help="Open the result in the system's viewer when it is there.")]
Overwrite = Annotated[bool, Parameter(help="Make again what is there, instead of going on from it.")]
Seeds = Annotated[str, Parameter(help="Seeds, one image each: 0-3 (both ends), 0,5,7 or 0-3,8.")]
Masks = Annotated[
    bool,
    Parameter(
        help="Find each concept's mask and box in the maps, and write them to OUT/masks.json (COCO); `heedful "
        "generate` writes them as PNG too."
    ),
]
PromptWeights = Annotated[
    bool,
    Parameter(
        "--prompt-weights",
        help="Read weights in the prompt, and in the negative one, as compel writes them: (red)1.4, blue++, clock-. "
        "Without it, they are text. Stable Diffusion 1 and 2, SDXL.",
    ),
]
Concepts = Annotated[
    str | None,
    Parameter(
        help='Concepts that the image must show, in words of the prompt: "cat,blue clock". Without it: what is '
        "[marked] in the prompt, else the things that the prompt names."
    ),
]
ModelName = Annotated[
    str | None,
    Parameter(
        help="Folder of a diffusers pipeline, a hub id such as owner/name, or world:NAME. Without it, the embedded one."
    ),
]
WorldName = Annotated[
    str | None, Parameter(help="Name of an embedded model, of those that `heedful world list` shows.")
]
WorldFolder = Annotated[
    str | None,
    Parameter(
        "--model", help="Folder of a world model of your own, or world:NAME. Without it, the first embedded one."
    ),
]
Device = Annotated[str, Parameter(help="Where the model runs: auto, cpu, cuda or mps.")]
Threads = Annotated[int | None, Parameter(help="Threads that torch uses. Without it, torch's choice.")]


def use_threads(threads: int | None) -> None:
    """Let torch use so many threads; None leaves it alone. Raises `SettingsError`."""
    if threads is None:
        return
    if threads < 1:
        raise SettingsError(f"Expected 1 thread or more, got {threads}.")
    import torch

    torch.set_num_threads(threads)


def chosen_world(name: str | None, model: str | None) -> str | Path:
    """Return the name or the folder of the model that is meant, the first embedded one if neither is given."""
    from heedful.world import DEFAULT, WORLDS

    if name is not None and model is not None:
        raise SettingsError(f"Expected the name of an embedded model or a folder, got both, {name} and {model}.")
    if model is not None and model.startswith("world:"):
        name, model = model.removeprefix("world:"), None
    if name is not None and name not in WORLDS:
        raise ModelNotFound(f"Expected an embedded model ({', '.join(WORLDS)}), got {name}. Take one of these.")
    return Path(model) if model is not None else name or DEFAULT
