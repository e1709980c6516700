"""A folder of taught concepts: which files it holds, and the manifest that says it is whole.

Knows names and formats. Everything is safetensors and JSON; the manifest is written last. Knows no training.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from diffusers.utils import convert_state_dict_to_diffusers
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from heedful.attention import find_denoiser
from heedful.errors import ConceptsDoNotFit, ModelNotFound, UnsafeWeights, require
from heedful.files import PICKLES, write_atomic
from heedful.teaching.embeddings import ENCODERS, Vectors, text_parts
from heedful.teaching.instance_prompt import PLACEHOLDER, NewConcept

MANIFEST = "concepts.json"
CARD = "README.md"
LORA = "pytorch_lora_weights.safetensors"
CUSTOM_DIFFUSION = "pytorch_custom_diffusion_weights.safetensors"
DENOISER = "unet"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a folder holds and how it came about: enough to make it again."""

    prompt: str
    """The prompt that the concepts were learnt with."""
    concepts: tuple[NewConcept, ...]
    method: str
    weights: str
    """"none", "custom-diffusion", "lora" or "unet": how the denoiser's weights lie beside the embeddings."""
    base: dict[str, Any]
    """What `architecture` says of the base model."""
    training: dict[str, Any] = field(default_factory=dict)
    """Everything that the training was told, pictures by their SHA-256, and the versions that it ran on."""
    format: int = FORMAT


def architecture(pipe: Any) -> dict[str, Any]:
    """Return what must agree between the model that learnt and the one that loads: shapes, not weights."""
    config = getattr(find_denoiser(pipe), "config", {})
    blocks = config.get("block_out_channels", ())
    return {
        "denoiser": type(find_denoiser(pipe)).__name__,
        "block_out_channels": list(blocks),
        "cross_attention_dim": config.get("cross_attention_dim"),
        "text_widths": [encoder.get_input_embeddings().weight.shape[1] for _, encoder in text_parts(pipe)],
    }


def fingerprint(pipe: Any) -> str:
    """Return 16 hexadecimal digits that say which weights a denoiser has: from the ends of each of its tensors."""
    digest = sha256()
    denoiser: Any = find_denoiser(pipe)
    for name, value in sorted(denoiser.state_dict().items()):
        flat = value.detach().flatten()
        ends = torch.cat([flat[:8], flat[-8:]]).double().cpu().numpy()
        digest.update(name.encode() + ends.tobytes())
    return digest.hexdigest()[:16]


def write_embeddings(folder: Path, vectors: Mapping[NewConcept, Sequence[Vectors]]) -> None:
    """Write one file for each concept: `{"<cat1>": rows}`, which `load_textual_inversion` reads.

    With two text encoders its keys are `clip_l` and `clip_g`, as in the files that are shared for SDXL.
    """
    for concept, each in vectors.items():
        names = (concept.placeholder,) if len(each) == 1 else ENCODERS
        rows = {name: value.contiguous() for name, value in zip(names, each, strict=True)}
        write_atomic(folder / f"{concept.name}.safetensors", save(rows, metadata={"format": "pt"}))


def read_embeddings(folder: Path, concepts: Sequence[NewConcept]) -> dict[NewConcept, list[Vectors]]:
    """Return what `write_embeddings` wrote; raises `ConceptsDoNotFit` for a file that is broken or absent."""
    vectors: dict[NewConcept, list[Vectors]] = {}
    for concept in concepts:
        tensors = read_tensors(folder / f"{concept.name}.safetensors")
        names = (concept.placeholder,) if concept.placeholder in tensors else ENCODERS
        missing = [name for name in names if name not in tensors]
        if missing:
            raise ConceptsDoNotFit(
                f"Expected {concept.placeholder}, or {' and '.join(ENCODERS)}, in {concept.name}.safetensors, got "
                f"{', '.join(tensors) or 'nothing'}. Teach the concept again, or get the folder whole."
            )
        vectors[concept] = [tensors[name].reshape(-1, tensors[name].shape[-1]) for name in names]
    return vectors


def write_custom_diffusion(folder: Path, denoiser: nn.Module, sites: Sequence[str], query: bool) -> None:
    """Write keys and values of all sites in the names of diffusers' `CustomDiffusionAttnProcessor`.

    With `query` also queries and outputs, which that class takes together.
    """
    tensors: dict[str, Tensor] = {}
    parts = ("to_k", "to_v", "to_q", "to_out.0") if query else ("to_k", "to_v")
    for site in sites:
        for part in parts:
            module = denoiser.get_submodule(f"{site}.{part}")
            first, _, rest = part.partition(".")
            name = f"{site}.processor.{first}_custom_diffusion" + (f".{rest}" if rest else "")
            tensors |= {
                f"{name}.{key}": value.detach().cpu().contiguous() for key, value in module.state_dict().items()
            }
    write_atomic(folder / CUSTOM_DIFFUSION, save(tensors, metadata={"format": "pt"}))


def write_lora(folder: Path, pipe: Any, adapter: str) -> None:
    """Write a LoRA in the names that `load_lora_weights` reads; raises `MissingExtra` without peft."""
    peft = require("peft", "train")
    denoiser: Any = find_denoiser(pipe)
    layers = convert_state_dict_to_diffusers(peft.get_peft_model_state_dict(denoiser, adapter_name=adapter))

    def write(tensors: dict[str, Tensor], _file: str) -> None:
        write_atomic(folder / LORA, save(tensors, metadata={"format": "pt"}))

    pipe.save_lora_weights(folder, unet_lora_layers=layers, save_function=write)


def write_denoiser(folder: Path, denoiser: Any) -> None:
    """Write the whole denoiser as `save_pretrained` does."""
    denoiser.save_pretrained(folder / DENOISER)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, after which the folder counts as whole."""
    write_atomic(folder / MANIFEST, json.dumps(asdict(manifest), indent=2, default=str) + "\n")


def read_manifest(folder: Path) -> Manifest:
    """Return a folder's manifest.

    Raises `ModelNotFound` for a folder without one, `UnsafeWeights` if pickles lie there instead, and
    `ConceptsDoNotFit` for a manifest that says something else than heedful writes.
    """
    file = folder / MANIFEST
    if not file.is_file():
        pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES) if folder.is_dir() else []
        if pickles:
            raise UnsafeWeights(
                f"Expected concepts as safetensors in {folder}, got pickles, which can run code while they load: "
                f"{', '.join(pickles[:4])}. If you trust them, convert them with diffusers' scripts."
            )
        raise ModelNotFound(
            f"Expected {MANIFEST} in the folder {folder}, found none: nothing was taught there, or not to the end. "
            "Name the --out folder of a heedful teach that has finished."
        )
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        concepts = tuple(NewConcept(**each) for each in said.pop("concepts"))
        manifest = Manifest(concepts=concepts, **said)
        is_sound = manifest.format == FORMAT and all(PLACEHOLDER.fullmatch(each.placeholder) for each in concepts)
        is_sound = is_sound and all(
            each.name.replace("-", "_").isidentifier() or each.name.isalnum() for each in concepts
        )
    except (ValueError, TypeError, KeyError, AttributeError) as reason:
        raise ConceptsDoNotFit(
            f"Expected a manifest that heedful teach wrote in {file}, got something else ({reason})."
        ) from reason
    if not is_sound:
        raise ConceptsDoNotFit(
            f"Expected a manifest of format {FORMAT} with placeholders such as <cat1> in {file}, got format "
            f"{manifest.format} with {', '.join(each.placeholder for each in concepts)}. Update heedful, or teach anew."
        )
    return manifest


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file; raises `ConceptsDoNotFit` if it is absent or broken."""
    try:
        return load_file(file)
    except (OSError, SafetensorError) as reason:
        raise ConceptsDoNotFit(
            f"Expected weights in {file}, but they cannot be read ({reason}). Get the folder whole, or teach again."
        ) from reason
