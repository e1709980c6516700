"""What a person loads on top of a model: taught concepts and LoRAs, in this order."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from heedful.attention import AdaptablePipeline, ImagePipeline
from heedful.errors import SettingsError
from heedful.models.lora import Lora, load_lora
from heedful.models.weights import digest_files
from heedful.teaching import DENOISER, MANIFEST, load_concepts, read_manifest


def add(pipe: ImagePipeline, concepts: Sequence[Path], loras: Sequence[tuple[Lora, Path]]) -> dict[str, Any]:
    """Load taught concepts and LoRAs into `pipe`, which changes, and return their fingerprints.

    All LoRAs act together, those of taught concepts with weight 1. Raises what `load_concepts` and `load_lora` raise,
    and `SettingsError` for two folders that both bring weights of the denoiser.
    """
    _check(concepts)
    adapters: dict[str, float] = {}
    taught: list[str] = []
    fingerprints: list[str] = []
    with warnings.catch_warnings():
        # peft's remark about a second adapter, which is what was asked for
        warnings.filterwarnings("ignore", message="Already found a `peft_config`", category=UserWarning)
        for number, folder in enumerate(concepts):
            adapter = load_concepts(pipe, folder, adapter_name=f"taught_{number}").adapter
            adapters |= {adapter: 1.0} if adapter is not None else {}
            taught.append(concepts_fingerprint(folder))
        for number, (lora, file) in enumerate(loras):
            adapters[f"lora_{number}"] = lora.weight
            fingerprints.append(f"{load_lora(pipe, file, f'lora_{number}')}={lora.weight:g}")
    if adapters and isinstance(pipe, AdaptablePipeline):
        pipe.set_adapters(list(adapters), list(adapters.values()))
    return {name: found for name, found in (("concepts_from", taught), ("lora", fingerprints)) if found}


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
            "second would replace the first. Teach them as LoRA, or as words alone (textual-inversion)."
        )
