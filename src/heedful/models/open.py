"""Opens the pipeline that a person names, with everything that is put on top of it."""

from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from transformers import CLIPTokenizer
from transformers.utils import logging as transformers_logging

from heedful import world
from heedful.attention import ImagePipeline, find_denoiser
from heedful.errors import ModelError, SettingsError
from heedful.models.additions import add
from heedful.models.find import embedded_name, find_folder, first_line
from heedful.models.lora import find_lora, parse_lora
from heedful.models.model import DTYPES, Model
from heedful.models.offload import begin_offload, check_offload
from heedful.models.weights import fingerprint
from heedful.options import ModelOptions
from heedful.whole_models import load_whole_pipeline

DEVICES = ("auto", "cpu", "cuda", "mps")


def open_model(options: ModelOptions = ModelOptions()) -> Model:  # noqa: B008 - frozen
    """Open a pipeline on its device, with its scheduler and everything on top; without options, the embedded world.

    `world:sprites` names the first embedded model. A name that starts with `.`, `/` or `~`, or that is an existing file
    or folder, lies on this machine; only a hub id may use the network. Only safetensors are read, and safety checkers
    stay as they are.

    Raises `ModelNotFound`, `UnsafeWeights`, `ModelError`, and `SettingsError` for a device, dtype, scheduler, revision
    or variant that is not there, and for offloading without an accelerator.
    """
    device, name = find_device(options.device), options.model
    embedded = embedded_name(name)
    dtype = options.dtype or ("float32" if embedded is not None or device == "cpu" else "float16")
    if dtype not in DTYPES:
        raise SettingsError(f"Expected one of the dtypes {', '.join(DTYPES)}, got {dtype!r}.")
    loras = [(lora, find_lora(lora)) for lora in map(parse_lora, options.lora)]
    concepts = tuple(dict.fromkeys(folder.expanduser() for folder in options.concepts_from))
    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    check_offload(options.offload, device)
    folder = find_folder(name, revision=options.revision, variant=options.variant)
    if embedded is None:
        pipe: Any = _load(str(name), folder, DTYPES[dtype], options.variant)
    else:
        _refuse_variant(options.variant)
        pipe = world.load(embedded, dtype=DTYPES[dtype])
    if options.offload == "none":
        pipe.to(device)
    pipe.set_progress_bar_config(disable=True)
    if options.scheduler is not None:
        pipe.scheduler = _scheduler(pipe, options.scheduler)
    denoiser = find_denoiser(pipe)
    on_top = add(pipe, concepts, loras)
    begin_offload(pipe, options.offload, device)
    return Model(
        pipe=pipe,
        name=name or world.NAME,
        weights=fingerprint(folder, options.variant),
        folder=folder,
        dtype=dtype,
        is_world=embedded is not None or (denoiser is not None and world.is_world(denoiser)),
        on_top=on_top,
        options=options,
    )


def load_tokenizer(name: str | None = None) -> Any:
    """Return the tokenizer of a model, without its weights.

    Raises `ModelNotFound` and `UnsafeWeights`, and `ModelError` for a pipeline without a tokenizer.
    """
    folder = find_folder(name)
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
        raise SettingsError(f"Expected a device of this machine ({there}), got {name!r}. Name none, or auto.")
    return name


def _refuse_variant(variant: str | None) -> None:
    """Raise `SettingsError` for a variant of an embedded model."""
    if variant is not None:
        raise SettingsError(f"Expected no variant of an embedded model, which has one set of weights, got {variant!r}.")


def _load(name: str, folder: Path, dtype: torch.dtype, variant: str | None) -> Any:
    """Load the pipeline in `folder`; raises `ModelError`, in the words of diffusers where it is that which fails."""
    try:
        pipe = load_whole_pipeline(DiffusionPipeline, folder, dtype=dtype, variant=variant)
    except (MemoryError, ModelError):
        raise
    except Exception as reason:  # whatever an odd config leads to
        raise ModelError(
            f"Expected to load a pipeline from {name}, but diffusers says: {first_line(reason)} "
            "See whether DiffusionPipeline.from_pretrained() loads it, and whether heedful doctor shows what it needs."
        ) from reason
    for part, module in pipe.components.items():
        if part.startswith("tokenizer") and module is not None and not (folder / part).is_dir():
            raise ModelError(f"Expected the folder {part} in {folder}, found none. Get the model whole.")
    return pipe


def _scheduler(pipe: ImagePipeline, name: str) -> Any:
    """Return another scheduler of diffusers with the noise schedule of the pipeline's own.

    `name` is a class of `diffusers` that suits the pipeline, in any case and with or without `Scheduler`: ddim, euler.
    Raises `SettingsError` that lists the names.
    """
    classes = {kind.__name__: kind for kind in [type(pipe.scheduler), *pipe.scheduler.compatibles]}
    wanted = name.casefold().removesuffix("scheduler").removesuffix("discrete")
    short = {key.removesuffix("Scheduler").removesuffix("Discrete").casefold(): key for key in classes}
    if wanted not in short:
        raise SettingsError(f"Expected one of the schedulers {', '.join(sorted(short))}, got {name!r}.")
    return classes[short[wanted]].from_config(pipe.scheduler.config)
