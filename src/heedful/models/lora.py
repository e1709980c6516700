"""A community LoRA on top of a pipeline: found, refused unless it is safetensors, loaded, and checked to act."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import hf_hub_download
from safetensors import SafetensorError

from heedful.attention import AdaptablePipeline, ImagePipeline
from heedful.errors import ModelError, ModelNotFound, SettingsError, UnsafeWeights, require
from heedful.files import PICKLES
from heedful.models.find import first_line, hub_says
from heedful.models.weights import digest_files
from heedful.teaching import LORA

_ON_A_HUB = re.compile(r"([\w.-]+/[\w.-]+?)(?:/(.+\.safetensors))?")


@dataclass(frozen=True, kw_only=True)
class Lora:
    """A LoRA as a person names it."""

    name: str
    """A file, a folder, or a hub id: owner/name, or owner/name/FILE.safetensors."""
    weight: float = 1.0
    """How much of it acts."""


def parse_lora(text: str) -> Lora:
    """Return what `FILE`, `FOLDER`, `owner/name` or one of these with `=0.8` means; raises `SettingsError`."""
    name, found, weight = text.rpartition("=")
    if not found or Path(text).expanduser().exists():
        return Lora(name=text)
    try:
        number = float(weight)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise SettingsError(f"Expected a number after the = of a LoRA, such as {name}=0.8, got {weight!r}.")
    return Lora(name=name, weight=number)


def find_lora(lora: Lora) -> Path:
    """Return the safetensors file of a LoRA; raises `ModelNotFound`, or `UnsafeWeights` for a pickle."""
    path = Path(lora.name).expanduser()
    if path.is_dir():
        return _in_folder(path)
    if (path.is_file() and path.suffix != ".safetensors") or path.suffix in PICKLES:
        raise UnsafeWeights(
            f"Expected a LoRA as *.safetensors, got {path}: other files can run code while they load. "
            "Look for the same LoRA as safetensors."
        )
    if path.is_file():
        return path
    on_a_hub = _ON_A_HUB.fullmatch(lora.name)
    if on_a_hub is None or lora.name.startswith((".", "/", "~")):
        raise ModelNotFound(
            f"Expected a LoRA at {path}, but there is nothing. Pass a file (*.safetensors), a folder or a hub id."
        )
    owner, file = on_a_hub[1], on_a_hub[2] or LORA
    try:
        return Path(hf_hub_download(owner, file))
    except Exception as reason:  # errors of the hub, and of two generations of its HTTP client
        raise ModelNotFound(
            f"Expected {file} in the hub's {owner} (there is no such file here), but {hub_says(reason)}. "
            "A file of another name: owner/name/FILE.safetensors."
        ) from reason


def load_lora(pipe: ImagePipeline, file: Path, adapter: str) -> str:
    """Load a LoRA as `adapter`, and return its fingerprint.

    Raises `ModelError` if it does not fit or nothing of it acts, and `MissingExtra` without peft.
    """
    require("peft", "train")
    if not isinstance(pipe, AdaptablePipeline):
        raise ModelError(f"Expected a pipeline that takes LoRAs, got {type(pipe).__name__}.")
    try:
        pipe.load_lora_weights(
            str(file.parent), weight_name=file.name, adapter_name=adapter, use_safetensors=True, local_files_only=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, AttributeError, SafetensorError) as reason:
        raise ModelError(
            f"Expected a LoRA for this model in {file}, but diffusers says: {first_line(reason)} "
            "Look at which base model its card names."
        ) from reason
    if not any(adapter in names for names in pipe.get_list_adapters().values()):
        raise ModelError(f"Expected a LoRA for this model in {file}, but nothing in it belongs to a part of the model.")
    return digest_files(file.parent, [file])


def _in_folder(folder: Path) -> Path:
    """Return the one LoRA of a folder."""
    if (folder / LORA).is_file():
        return folder / LORA
    files = sorted(folder.glob("*.safetensors"))
    if len(files) == 1:
        return files[0]
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
    if pickles and not files:
        raise UnsafeWeights(
            f"Expected a LoRA as *.safetensors in {folder}, got pickles, which can run code while they load: "
            f"{', '.join(pickles[:4])}. Look for the same LoRA as safetensors."
        )
    found = ", ".join(file.name for file in files[:6]) or "none"
    raise ModelNotFound(f"Expected {LORA} or one file *.safetensors in {folder}, found {found}. Name the file.")
