"""What a person loads on top of a model: taught concepts, and LoRAs.

Knows in which order they come, and what images that were made with them say of it.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from heedful.errors import SettingsError
from heedful.models.lora import Lora, find_lora, load_lora, parse_lora
from heedful.models.pipelines import Model, digest_files
from heedful.teaching import DENOISER, MANIFEST, load_concepts, read_manifest


@dataclass(frozen=True, kw_only=True)
class Additions:
    """Folders of concepts and LoRAs as they were named, so that another process can load the same."""

    concepts: tuple[Path, ...] = ()
    """Folders that `heedful.teach` has written."""
    loras: tuple[Lora, ...] = ()


def parse_additions(concepts: Sequence[Path] | None, loras: Sequence[str] | None) -> Additions:
    """Return what was named, each folder once; raises `SettingsError`."""
    folders = tuple(dict.fromkeys(folder.expanduser() for folder in concepts or []))
    return Additions(concepts=folders, loras=tuple(parse_lora(text) for text in loras or []))


def add(model: Model, additions: Additions) -> Model:
    """Load everything into the model's pipeline, which changes, and return the model that knows of it.

    All LoRAs act together, those of taught concepts with weight 1. Raises what `load_concepts`, `find_lora` and
    `load_lora` raise, and `SettingsError` for two folders that both bring weights of the denoiser.
    """
    files = [find_lora(lora) for lora in additions.loras]
    _check(additions.concepts)
    adapters: dict[str, float] = {}
    taught: list[str] = []
    told: list[str] = []
    with warnings.catch_warnings():
        # peft's remark about a second adapter, which is what was asked for
        warnings.filterwarnings("ignore", message="Already found a `peft_config`", category=UserWarning)
        for place, folder in enumerate(additions.concepts):
            adapter = load_concepts(model.pipe, folder, adapter_name=f"taught_{place}").adapter
            adapters |= {adapter: 1.0} if adapter is not None else {}
            taught.append(concepts_fingerprint(folder))
        for place, (lora, file) in enumerate(zip(additions.loras, files, strict=True)):
            adapters[f"lora_{place}"] = lora.weight
            told.append(f"{load_lora(model.pipe, file, f'lora_{place}')}={lora.weight:g}")
    if adapters:
        model.pipe.set_adapters(list(adapters), list(adapters.values()))
    on_top = {name: found for name, found in (("concepts_from", taught), ("lora", told)) if found}
    return replace(model, on_top={**model.on_top, **on_top})


def concepts_fingerprint(folder: Path) -> str:
    """Return 12 hexadecimal digits that change with what was taught, wherever the folder lies."""
    return digest_files(
        folder, [folder / MANIFEST, *folder.glob("*.safetensors"), *folder.glob(f"{DENOISER}/*.safetensors")]
    )


def _check(folders: Sequence[Path]) -> None:
    """Refuse folders whose weights would write over each other."""
    whole = [folder for folder in folders if read_manifest(folder).weights in ("custom-diffusion", "unet")]
    if len(whole) > 1:
        raise SettingsError(
            f"Expected one folder of concepts that brings weights of the denoiser, got {whole[0]} and {whole[1]}: the "
            "second would replace the first. Teach them as LoRA (--rank 4), or as words (--method textual-inversion)."
        )
