"""Taught concepts come back: into any pipeline of the same architecture, as if it had learnt them.

Knows the formats of a folder (`folder`). Knows no training.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from heedful.attention import find_denoiser
from heedful.errors import ConceptsDoNotFit, require
from heedful.teaching import folder as files
from heedful.teaching.embeddings import add_concepts
from heedful.teaching.instance_prompt import NewConcept
from heedful.teaching.trained import ADAPTER

_SUFFIX = "_custom_diffusion"


@dataclass(frozen=True, kw_only=True)
class TaughtConcepts:
    """What a pipeline has learnt."""

    prompt: str
    """What it was taught with: "a <cat1> cat and a <dog1> dog"."""
    concepts: tuple[NewConcept, ...]
    method: str
    folder: Path
    adapter: str | None = None
    """The name of its LoRA in the pipeline, for `pipe.set_adapters`; None if it has none."""


def load_concepts(pipe: Any, folder: Path | str, *, adapter_name: str = ADAPTER) -> TaughtConcepts:
    """Teach `pipe` what `heedful.teach` has written into `folder`: new words, and the weights that learnt them.

    Works for every pipeline with the same denoiser and text encoders: text to image, image to image, inpainting.
    Guidance, LoRA (`pipe.load_lora_weights`, then `pipe.set_adapters`) and IP-Adapter go on top, because no attention
    processor is replaced. Weights are written into the denoiser, so load the pipeline anew to be rid of them, and load
    one folder of such weights only; folders of words alone, and LoRAs of other names, go together.

    Raises `ModelNotFound` and `UnsafeWeights`, and `ConceptsDoNotFit` if the base model has other shapes or knows a
    word already; the pipeline is unchanged then.
    """
    place = Path(folder)
    manifest = files.read_manifest(place)
    here = files.architecture(pipe)
    differ = [
        f"{key} {here[key]} instead of {value}"
        for key, value in manifest.base.items()
        if key in here and here[key] != value
    ]
    if differ:
        raise ConceptsDoNotFit(
            f"Expected a pipeline like the one that learnt {_listed(manifest.concepts)}, got one with "
            f"{'; '.join(differ)}. Load the base model that {place / files.CARD} names."
        )
    denoiser: Any = find_denoiser(pipe)
    vectors = files.read_embeddings(place, manifest.concepts)
    weights: dict[str, Tensor] = {}
    if manifest.weights == "custom-diffusion":
        weights = custom_diffusion_weights(denoiser, place / files.CUSTOM_DIFFUSION)
    elif manifest.weights == "unet":
        weights = _whole(denoiser, place / files.DENOISER / "diffusion_pytorch_model.safetensors")
    elif manifest.weights == "lora":
        require("peft", "train")
        if adapter_name in getattr(denoiser, "peft_config", {}):
            raise ConceptsDoNotFit(
                f"Expected a new name for the LoRA, but the denoiser has one called {adapter_name!r}. "
                "Pass adapter_name=..., and switch between them with pipe.set_adapters."
            )
    add_concepts(pipe, vectors)
    _copy(denoiser, weights)
    if manifest.weights == "lora":
        with warnings.catch_warnings():  # peft says so of every second adapter, which is what was asked for
            warnings.filterwarnings("ignore", message="Already found a `peft_config`")
            pipe.load_lora_weights(str(place), weight_name=files.LORA, adapter_name=adapter_name, local_files_only=True)
    return TaughtConcepts(
        prompt=manifest.prompt,
        concepts=manifest.concepts,
        method=manifest.method,
        folder=place,
        adapter=adapter_name if manifest.weights == "lora" else None,
    )


def load_custom_diffusion(denoiser: nn.Module, file: Path | str) -> None:
    """Write Custom-Diffusion weights in diffusers' format into `denoiser`, so that its own processors stay.

    `unet.load_attn_procs` of diffusers reads the same file and sets nothing. Unlike its processor, which replaces the
    site's own and with it LoRA and IP-Adapter, the projections themselves change. Raises `ConceptsDoNotFit`.
    """
    _copy(denoiser, custom_diffusion_weights(denoiser, Path(file)))


def custom_diffusion_weights(denoiser: nn.Module, file: Path) -> dict[str, Tensor]:
    """Return the weights of such a file by the denoiser's own names; raises `ConceptsDoNotFit` if they do not fit."""
    read: dict[str, Tensor] = {}
    for name, value in files.read_tensors(file).items():
        site, found, rest = name.partition(".processor.")
        if not found or _SUFFIX not in rest:
            raise ConceptsDoNotFit(f"Expected names such as SITE.processor.to_k{_SUFFIX}.weight in {file}, got {name}.")
        read[f"{site}.{rest.replace(_SUFFIX, '', 1)}"] = value
    return _fitting(denoiser, read, file)


def _whole(denoiser: nn.Module, file: Path) -> dict[str, Tensor]:
    return _fitting(denoiser, files.read_tensors(file), file)


def _fitting(denoiser: nn.Module, read: dict[str, Tensor], file: Path) -> dict[str, Tensor]:
    there = _own(denoiser)
    for name, value in read.items():
        if name not in there or there[name].shape != value.shape:
            got = "no such weight" if name not in there else f"one of shape {tuple(there[name].shape)}"
            raise ConceptsDoNotFit(
                f"Expected a denoiser with {name} of shape {tuple(value.shape)}, as in {file}, got {got}. "
                "Load the base model that the weights were made for."
            )
    return read


@torch.no_grad()
def _copy(denoiser: nn.Module, weights: dict[str, Tensor]) -> None:
    there = _own(denoiser)
    for name, value in weights.items():
        there[name].copy_(value)


def _own(denoiser: nn.Module) -> dict[str, Tensor]:
    """Return the denoiser's parameters under the names that they have without a LoRA."""
    return {
        name.replace(".base_layer.", "."): value for name, value in denoiser.named_parameters() if ".lora_" not in name
    }


def _listed(concepts: tuple[NewConcept, ...]) -> str:
    return ", ".join(concept.placeholder for concept in concepts)
