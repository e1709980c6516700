"""Finds and loads the pipeline that a person names: an embedded model, a folder, or a model on a hub.

Knows where weights lie and which of them are safe to read. Knows nothing of prompts or methods.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from huggingface_hub.errors import RepositoryNotFoundError
from transformers import CLIPTokenizer
from transformers.utils import logging as transformers_logging

from heedful import world
from heedful.attention import find_denoiser
from heedful.errors import ModelError, ModelNotFound, SettingsError, UnsafeWeights
from heedful.files import PICKLES
from heedful.world import NAME

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
EMBEDDED = NAME
WORLD = "world:"
"""What stands before the name of an embedded model."""
_SAMPLE = 1 << 16  # bytes of each end of a weights file that go into its fingerprint


@dataclass(frozen=True)
class Model:
    """A loaded pipeline, and what it takes to recognise it again."""

    pipe: Any
    """A diffusers pipeline, on its device, without progress bars."""
    name: str
    """What the person asked for."""
    weights: str
    """Fingerprint of the weights: the same for the same files, wherever they lie."""
    folder: Path
    """Where the files lie."""
    dtype: str
    """A key of `DTYPES`."""
    is_world: bool
    """Whether it is an embedded model, or one of the architecture of an embedded U-Net."""
    on_top: Mapping[str, Any] = field(default_factory=dict)
    """What was loaded on top of the weights, by fingerprint, as plain JSON values: see `additions`."""

    @property
    def steps(self) -> int:
        """How many denoising steps a run takes unless told otherwise."""
        return 20 if self.is_world else 50

    @property
    def guidance_scale(self) -> float:
        """The classifier-free guidance weight of a run unless told otherwise."""
        return 3.0 if self.is_world else 7.5

    @property
    def batch_size(self) -> int:
        """How many images are made together unless told otherwise: one, except for the small embedded model."""
        return 8 if self.is_world else 1


def load_model(name: str | None = None, *, device: str = "auto", dtype: str | None = None) -> Model:
    """Load the embedded model (None), another one (`world:crowded`), the folder `name`, or the hub's model `name`.

    A name that starts with `.`, `/` or `~`, or that is an existing file or folder, is a place on this machine; only a
    hub id (owner/name) may use the network. `dtype` is float32 unless the device is a GPU, where it is float16 (an
    embedded model is always float32 unless told otherwise). Only safetensors are read, safety checkers stay.

    Raises `ModelNotFound`, `UnsafeWeights`, `ModelError`, and `SettingsError` for a device or dtype that is not there.
    """
    place = find_device(device)
    embedded = embedded_name(name)
    chosen = dtype or ("float32" if embedded is not None or place == "cpu" else "float16")
    if chosen not in DTYPES:
        raise SettingsError(f"Expected one of the dtypes {', '.join(DTYPES)}, got {chosen!r}.")
    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    folder = _folder(name)
    pipe = _load(str(name), folder, DTYPES[chosen]) if embedded is None else world.load(embedded).to(DTYPES[chosen])
    pipe.to(place)
    pipe.set_progress_bar_config(disable=True)
    denoiser = find_denoiser(pipe)
    is_world = embedded is not None or (denoiser is not None and world.is_world(denoiser))
    return Model(pipe, name or EMBEDDED, fingerprint(folder), folder, chosen, is_world)


def embedded_name(model: str | None) -> str | None:
    """Return which embedded model a person named: None and `world:NAME` name one, everything else none.

    Raises `ModelNotFound` for a name that no embedded model has.
    """
    if model is None:
        return next(iter(world.WORLDS))
    if not model.startswith(WORLD):
        return None
    name = model.removeprefix(WORLD)
    if name not in world.WORLDS:
        known = ", ".join(f"{WORLD}{each}" for each in world.WORLDS)
        raise ModelNotFound(f"Expected an embedded model ({known}), got {model}. Take one of these.")
    return name


def load_tokenizer(name: str | None = None) -> Any:
    """Return the tokenizer of the model that `load_model` would load, without its weights.

    Raises `ModelNotFound` and `UnsafeWeights`, and `ModelError` for a pipeline without a tokenizer.
    """
    folder = _folder(name)
    try:
        return CLIPTokenizer.from_pretrained(str(folder / "tokenizer"), local_files_only=True)
    except (OSError, ValueError) as reason:
        raise ModelError(f"Expected a tokenizer in {folder}, but there is none: {first_line(reason)}") from reason


def find_device(name: str = "auto") -> str:
    """Return the device to use: cuda, else mps, else cpu for `auto`. Raises `SettingsError` for one that is absent."""
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if present[device])
    if name not in DEVICES:
        raise SettingsError(f"Expected one of the devices {', '.join(DEVICES)}, got {name!r}.")
    if not present[name]:
        there = ", ".join(device for device, is_there in present.items() if is_there)
        raise SettingsError(
            f"Expected a device of this machine ({there}), got {name!r}. Leave --device out, or pass auto."
        )
    return name


def is_place(name: str) -> bool:
    """Return whether `name` is a place on this machine rather than a hub id."""
    return name.startswith((".", "/", "~")) or name.count("/") != 1 or Path(name).exists()


def check_folder(folder: Path) -> Path:
    """Return `folder` if it holds a pipeline in the format of diffusers whose weights are safe to read.

    Raises `ModelNotFound` or `UnsafeWeights`.
    """
    remedy = "Pass a folder that save_pretrained() of a diffusers pipeline has written, or a hub id (owner/name)."
    if folder.is_file():
        if folder.suffix in PICKLES:
            raise _unsafe(folder.parent, [folder], "diffusers")
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


def refuse_pickles(folder: Path, library: str) -> None:
    """Raise `UnsafeWeights` if `folder`, or a folder in it, holds pickles without safetensors beside them.

    `library` is the one that the user could convert them with.
    """
    pickles = _pickles(folder)
    if pickles:
        raise _unsafe(folder, pickles, library)


def fingerprint(folder: Path) -> str:
    """Return 12 hexadecimal digits that change with the configs, or the size or either end of a weights file.

    Only the folders of the components count: what lies beside them (cards, detectors) makes no images.
    """
    return digest_files(
        folder, [folder / "model_index.json", *folder.glob("*/*.json"), *folder.glob("*/*.safetensors")]
    )


def digest_files(folder: Path, files: Iterable[Path]) -> str:
    """Return 12 hexadecimal digits that change with the names in `folder`, the sizes, or either end of `files`."""
    digest = sha256()
    for path in sorted(files):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()} {size}\n".encode())
        with path.open("rb") as stream:
            digest.update(stream.read(_SAMPLE))
            stream.seek(max(0, size - _SAMPLE))
            digest.update(stream.read(_SAMPLE))
    return digest.hexdigest()[:12]


def _folder(name: str | None) -> Path:
    """Return where the files of a model lie; raises `ModelNotFound` or `UnsafeWeights`."""
    embedded = embedded_name(name)
    if embedded is not None:
        return world.folder_of(embedded)
    assert name is not None  # None is an embedded model
    return check_folder(Path(name).expanduser()) if is_place(name) else _download(name)


def _load(name: str, folder: Path, dtype: torch.dtype) -> Any:
    """Load the pipeline in `folder`; raises `ModelError` in the words of diffusers if that fails."""
    try:
        return DiffusionPipeline.from_pretrained(folder, dtype=dtype, use_safetensors=True, local_files_only=True)
    except (OSError, ValueError, AttributeError, ImportError, json.JSONDecodeError) as reason:
        raise ModelError(
            f"Expected to load a pipeline from {name}, but diffusers says: {first_line(reason)} "
            "See whether DiffusionPipeline.from_pretrained() loads it, and whether heedful doctor shows what it needs."
        ) from reason


def _download(name: str) -> Path:
    """Return the folder of the hub's model `name`, downloading what is missing; raises `ModelNotFound`."""
    try:
        folder = Path(DiffusionPipeline.download(name, use_safetensors=True))
    except Exception as reason:  # errors of the hub, of two generations of its HTTP client, and of diffusers
        if "safetensors" in str(reason):
            raise UnsafeWeights(
                f"Expected safetensors in the hub's model {name}, but it seems to hold pickles only, which can run "
                "code while they load. Look for a conversion of this model to safetensors on the hub."
            ) from reason
        raise ModelNotFound(
            f"Expected a model called {name} on the hub (there is no such folder here), but {hub_says(reason)}."
        ) from reason
    return check_folder(folder)


def hub_says(reason: BaseException) -> str:
    """Return why the hub gave no model, and what to do about it."""
    cause = reason.__cause__ or reason
    if isinstance(cause, RepositoryNotFoundError):
        return "the hub knows none, or it is private. Check the name; for a private or gated model: hf auth login"
    if isinstance(cause, ConnectionError) or type(cause).__module__.startswith("httpx"):
        return "the hub cannot be reached and no earlier download is here. Check the connection, or pass a folder"
    return f"it cannot be had: {first_line(reason).rstrip('.')}"


def _pickles(folder: Path) -> list[Path]:
    """Return the pickles of each component (and of the folder itself) that has no safetensors beside them."""
    found: list[Path] = []
    for part in [folder, *sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")]:
        files = sorted(path for path in part.iterdir() if path.is_file())
        if not any(path.suffix == ".safetensors" for path in files):
            found += [path for path in files if path.suffix in PICKLES]
    return found


def _unsafe(folder: Path, pickles: list[Path], library: str) -> UnsafeWeights:
    names = ", ".join(path.relative_to(folder).as_posix() for path in pickles[:4]) + (" ..." if pickles[4:] else "")
    return UnsafeWeights(
        f"Expected weights as *.safetensors in {folder}, got pickles, which can run code while they load: {names}. "
        f"If you trust them, load them with {library} once and write save_pretrained(FOLDER), which gives safetensors."
    )


def first_line(reason: BaseException) -> str:
    """Return the first line of what an error says, as a sentence."""
    line = (str(reason).strip() or type(reason).__name__).splitlines()[0]
    return line if line.endswith(".") else f"{line}."


def use_scheduler(model: Model, name: str) -> None:
    """Give the pipeline another scheduler of diffusers, with the old one's noise schedule.

    `name` is a class of `diffusers` that suits the pipeline, in any case and with or without `Scheduler`: ddim, euler.
    Raises `SettingsError` that lists the names.
    """
    classes = {kind.__name__: kind for kind in [type(model.pipe.scheduler), *model.pipe.scheduler.compatibles]}
    wanted = name.casefold().removesuffix("scheduler").removesuffix("discrete")
    short = {key.removesuffix("Scheduler").removesuffix("Discrete").casefold(): key for key in classes}
    if wanted not in short:
        raise SettingsError(f"Expected one of the schedulers {', '.join(sorted(short))}, got {name!r}.")
    model.pipe.scheduler = classes[short[wanted]].from_config(model.pipe.scheduler.config)
