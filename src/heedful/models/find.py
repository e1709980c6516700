"""Where the files of a named pipeline lie: an embedded model's, a folder, or a download from a hub."""

from pathlib import Path

from diffusers import DiffusionPipeline
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from heedful import world
from heedful.errors import ModelNotFound, SettingsError, UnsafeWeights
from heedful.files import PICKLES
from heedful.models.weights import refuse_pickles, unsafe

WORLD = "world:"
"""What stands before the name of an embedded model."""


def is_path(name: str) -> bool:
    """Return whether `name` is a location on this machine rather than a hub id."""
    return name.startswith((".", "/", "~")) or name.count("/") != 1 or Path(name).exists()


def embedded_name(model: str | None) -> str | None:
    """Return which embedded model a person named: None and `world:NAME` name one, everything else none.

    Raises `ModelNotFound` for a name that no embedded model has.
    """
    if model is None:
        return world.DEFAULT
    if not model.startswith(WORLD):
        return None
    name = model.removeprefix(WORLD)
    if name not in world.WORLDS:
        known = ", ".join(f"{WORLD}{each}" for each in world.WORLDS)
        raise ModelNotFound(f"Expected an embedded model ({known}), got {model}. Take one of these.")
    return name


def check_folder(folder: Path) -> Path:
    """Return `folder` if it holds a pipeline in the format of diffusers whose weights are safe to read.

    Raises `ModelNotFound` or `UnsafeWeights`.
    """
    remedy = "Pass a folder that save_pretrained() of a diffusers pipeline has written, or a hub id (owner/name)."
    if folder.is_file():
        if folder.suffix in PICKLES:
            raise unsafe(folder.parent, [folder], "diffusers")
        raise ModelNotFound(
            f"Expected a folder with a pipeline, got the single file {folder}. Convert it once with "
            "StableDiffusionPipeline.from_single_file(FILE).save_pretrained(FOLDER), then pass the folder."
        )
    if not folder.is_dir():
        raise ModelNotFound(f"Expected a folder with a pipeline at {folder}, but there is no such folder. {remedy}")
    refuse_pickles(folder, "diffusers")
    if not (folder / "model_index.json").is_file():
        found = ", ".join(sorted(path.name for path in folder.iterdir())[:6]) or "nothing"
        raise ModelNotFound(f"Expected model_index.json in the folder {folder}, found {found}. {remedy}")
    return folder


def find_folder(name: str | None, *, revision: str | None = None, variant: str | None = None) -> Path:
    """Return where the files of a model lie.

    `revision` and `variant` are those of a hub's model. Raises `ModelNotFound` or `UnsafeWeights`, and `SettingsError`
    for a revision of what lies on this machine.
    """
    embedded = embedded_name(name)
    is_here = name is None or embedded is not None or is_path(name)
    if is_here and revision is not None:
        raise SettingsError(
            f"Expected a hub's model for the revision {revision!r}, got {name or world.NAME}, which lies on this "
            "machine. Leave the revision out, or name a hub id (owner/name)."
        )
    if name is None or embedded is not None:
        return world.folder_of(embedded)
    return check_folder(Path(name).expanduser()) if is_here else _download(name, revision, variant)


def _download(name: str, revision: str | None, variant: str | None) -> Path:
    """Return the folder of the hub's model `name`, downloading what is missing; raises `ModelNotFound`."""
    try:
        folder = Path(DiffusionPipeline.download(name, use_safetensors=True, revision=revision, variant=variant))
    except Exception as reason:  # errors of the hub, of two generations of its HTTP client, and of diffusers
        if "safetensors" in str(reason):
            raise UnsafeWeights(
                f"Expected safetensors in the hub's model {name}, but it seems to hold pickles only, which can run "
                "code while they load. Look for a conversion of this model to safetensors on the hub."
            ) from reason
        which = f"{name} at the revision {revision}" if revision is not None else name
        raise ModelNotFound(
            f"Expected a model called {which} on the hub (there is no such folder here), but {hub_says(reason)}."
        ) from reason
    return check_folder(folder)


def hub_says(reason: BaseException) -> str:
    """Return why the hub gave no model, and what to do about it."""
    cause = reason.__cause__ or reason
    if isinstance(cause, RepositoryNotFoundError):
        return "the hub knows none, or it is private. Check the name; for a private or gated model: hf auth login"
    if isinstance(cause, RevisionNotFoundError):
        return "it has no such branch, tag or commit. Check the revision"
    if isinstance(cause, ConnectionError) or type(cause).__module__.startswith("httpx"):
        return "the hub cannot be reached and no earlier download is here. Check the connection, or pass a folder"
    return f"it cannot be had: {first_line(reason).rstrip('.')}"


def first_line(reason: BaseException) -> str:
    """Return the first line of what an error says, as a sentence."""
    line = (str(reason).strip() or type(reason).__name__).splitlines()[0]
    return line if line.endswith(".") else f"{line}."
