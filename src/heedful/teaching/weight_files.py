"""What was learnt as safetensors, written and read: words, Custom Diffusion's weights, whole denoisers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import rmtree
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from heedful.attention import find_sites
from heedful.errors import ConceptsDoNotFit, OutputError
from heedful.folders import OutputFolder
from heedful.teaching.concepts import NewConcept
from heedful.teaching.folder import CUSTOM_DIFFUSION, DENOISER
from heedful.teaching.text_embeddings import Vectors

_SUFFIX = "_custom_diffusion"
_ONE_FILE = "1TB"


def embedding_files(vectors: Mapping[NewConcept, Sequence[Vectors]], encoders: Sequence[str]) -> dict[str, bytes]:
    """Return one file for each concept: `{"<cat1>": rows}`, which `load_textual_inversion` reads.

    With several text encoders its keys are their names, `clip_l`, `clip_g` and `t5`, as in the files that are shared.
    """
    files: dict[str, bytes] = {}
    for concept, each in vectors.items():
        names = (concept.placeholder,) if len(each) == 1 else encoders
        rows = {name: value.contiguous() for name, value in zip(names, each, strict=True)}
        files[f"{concept.name}.safetensors"] = save(rows, metadata={"format": "pt"})
    return files


def read_embeddings(
    folder: Path, concepts: Sequence[NewConcept], encoders: Sequence[str]
) -> dict[NewConcept, list[Vectors]]:
    """Return the vectors of `embedding_files`; raises `ConceptsDoNotFit` for a file that is broken or absent."""
    vectors: dict[NewConcept, list[Vectors]] = {}
    for concept in concepts:
        file = folder / f"{concept.name}.safetensors"
        tensors = read_tensors(file)
        names = (concept.placeholder,) if concept.placeholder in tensors else encoders
        if any(name not in tensors or tensors[name].ndim not in (1, 2) for name in names):
            shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in tensors.items())
            raise ConceptsDoNotFit(
                f"Expected {concept.placeholder}, or {' and '.join(encoders)}, as vectors in {file}, got "
                f"{shapes or 'nothing'}. Teach the concept again, or get the folder whole."
            )
        vectors[concept] = [tensors[name].reshape(-1, tensors[name].shape[-1]) for name in names]  # -> (vector, width)
    return vectors


def custom_diffusion_file(denoiser: nn.Module, query: bool) -> dict[str, bytes]:
    """Return keys and values of all cross-attention in the names of diffusers' `CustomDiffusionAttnProcessor`.

    With `query` also queries and outputs, which that class takes together.
    """
    tensors: dict[str, Tensor] = {}
    parts = ("to_k", "to_v", "to_q", "to_out.0") if query else ("to_k", "to_v")
    for site in find_sites(denoiser):
        for part in parts:
            first, _, rest = part.partition(".")
            name = f"{site.name}.processor.{first}{_SUFFIX}" + (f".{rest}" if rest else "")
            for key, value in denoiser.get_submodule(f"{site.name}.{part}").state_dict().items():
                tensors[f"{name}.{key}"] = value.detach().cpu().contiguous()
    return {CUSTOM_DIFFUSION: save(tensors, metadata={"format": "pt"})}


def custom_diffusion_weights(denoiser: nn.Module, file: Path) -> dict[str, Tensor]:
    """Return the weights of such a file by the denoiser's own names; raises `ConceptsDoNotFit` if they do not fit."""
    read: dict[str, Tensor] = {}
    for name, value in read_tensors(file).items():
        site, found, rest = name.partition(".processor.")
        if not found or _SUFFIX not in rest:
            raise ConceptsDoNotFit(f"Expected names such as SITE.processor.to_k{_SUFFIX}.weight in {file}, got {name}.")
        read[f"{site}.{rest.replace(_SUFFIX, '', 1)}"] = value
    return _fitting(denoiser, read, file)


def write_denoiser(output: OutputFolder, denoiser: Any) -> None:
    """Write the whole denoiser as `save_pretrained` does, in one file; raises `OutputError`."""
    parts = output.parts / DENOISER
    try:
        denoiser.save_pretrained(parts, max_shard_size=_ONE_FILE)
        config, weights = parts / "config.json", parts / "diffusion_pytorch_model.safetensors"
        weights.chmod(config.stat().st_mode)  # safetensors keeps its files from everybody else
        for path in (weights, config):
            target = output.inside(f"{DENOISER}/{path.name}")
            target.parent.mkdir(exist_ok=True)
            path.replace(target)
    except (OSError, SafetensorError) as reason:
        raise OutputError(
            f"Expected to write the denoiser into {output.folder}, but it failed ({reason}). Free some space, and the "
            "same call continues from the last checkpoint."
        ) from reason
    finally:
        rmtree(parts, ignore_errors=True)


def denoiser_weights(denoiser: nn.Module, folder: Path) -> dict[str, Tensor]:
    """Return the weights of a whole denoiser in a folder of concepts; raises `ConceptsDoNotFit` if they do not fit."""
    file = folder / DENOISER / "diffusion_pytorch_model.safetensors"
    return _fitting(denoiser, read_tensors(file), file)


def own_parameters(denoiser: nn.Module) -> dict[str, nn.Parameter]:
    """Return the denoiser's parameters under the names that they have without a LoRA."""
    return {
        name.replace(".base_layer.", "."): value for name, value in denoiser.named_parameters() if ".lora_" not in name
    }


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file.

    Raises `ConceptsDoNotFit` if it is absent or broken, or holds something else than finite numbers.
    """
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError) as reason:
        raise ConceptsDoNotFit(
            f"Expected weights in {file}, but they cannot be read ({reason}). Get the folder whole, or teach again."
        ) from reason
    for name, value in tensors.items():
        if not (value.is_floating_point() and value.isfinite().all()):
            raise ConceptsDoNotFit(
                f"Expected finite numbers in {file}, got others in {name}. Get the folder whole, or teach again at a "
                "lower learning rate."
            )
    return tensors


def _fitting(denoiser: nn.Module, read: dict[str, Tensor], file: Path) -> dict[str, Tensor]:
    there = own_parameters(denoiser)
    for name, value in read.items():
        if name not in there or there[name].shape != value.shape:
            got = "no such weight" if name not in there else f"one of shape {tuple(there[name].shape)}"
            raise ConceptsDoNotFit(
                f"Expected a denoiser with {name} of shape {tuple(value.shape)}, as in {file}, got {got}. "
                "Load the base model that the weights were made for."
            )
    return read


@torch.no_grad()
def copy_weights(denoiser: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Write weights into a denoiser, by its own names for them."""
    there = own_parameters(denoiser)
    for name, value in weights.items():
        there[name].copy_(value)
