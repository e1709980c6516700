"""Taught concepts come back: into any pipeline of the same architecture, as if it had learnt them."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from heedful.attention import ImagePipeline, TeachablePipeline, find_denoiser
from heedful.errors import ConceptsDoNotFit, require
from heedful.teaching import folder as files
from heedful.teaching.concepts import NewConcept
from heedful.teaching.text_embeddings import add_concepts, encoder_names
from heedful.teaching.weight_files import (
    copy_weights,
    custom_diffusion_weights,
    denoiser_weights,
    read_embeddings,
    read_tensors,
)
from heedful.teaching.weights import ADAPTER


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


def load_concepts(pipe: ImagePipeline, folder: Path | str, *, adapter_name: str = ADAPTER) -> TaughtConcepts:
    """Teach `pipe` what `heedful.teach` has written into `folder`: new words, and the weights that learnt them.

    Works for every pipeline with the same denoiser and text encoders: text to image, image to image, inpainting; for
    Stable Diffusion 3 and FLUX.1 too.
    Guidance, LoRA (`pipe.load_lora_weights`, then `pipe.set_adapters`) and IP-Adapter go on top, because no attention
    processor is replaced. Weights are written into the denoiser, so load the pipeline again to be rid of them, and load
    one folder of such weights only; folders of words alone, and LoRAs of other names, go together.

    Raises `ModelNotFound` and `UnsafeWeights`, and `ConceptsDoNotFit` if the base model has other shapes or knows a
    word already, and for files that are broken or not finite; the pipeline is unchanged then.
    """
    path = Path(folder)
    manifest = files.read_manifest(path)
    here = files.architecture(pipe)
    differ = [
        f"{key} {here[key]} instead of {value}"
        for key, value in manifest.base.items()
        if key in here and here[key] != value
    ]
    if differ or not isinstance(pipe, TeachablePipeline):
        differ = differ or [f"a {type(pipe).__name__}, which takes no new words"]
        words = ", ".join(concept.placeholder for concept in manifest.concepts)
        raise ConceptsDoNotFit(
            f"Expected a pipeline like the one that learnt {words}, got one with {'; '.join(differ)}. "
            f"Load the base model that {path / files.CARD} names."
        )
    denoiser: Any = find_denoiser(pipe)
    vectors = read_embeddings(path, manifest.concepts, encoder_names(pipe))
    weights: dict[str, Tensor] = {}
    if manifest.weights == "custom-diffusion":
        weights = custom_diffusion_weights(denoiser, path / files.CUSTOM_DIFFUSION)
    elif manifest.weights == "unet":
        weights = denoiser_weights(denoiser, path)
    elif manifest.weights == "lora":
        require("peft", "train")
        read_tensors(path / files.LORA)
        if adapter_name in getattr(denoiser, "peft_config", {}):
            raise ConceptsDoNotFit(
                f"Expected a new name for the LoRA, but the denoiser has one called {adapter_name!r}. "
                "Pass adapter_name=..., and switch between them with pipe.set_adapters."
            )
    add_concepts(pipe, vectors)
    copy_weights(denoiser, weights)
    if manifest.weights == "lora":
        with warnings.catch_warnings():  # peft says so of every second adapter, which is what was asked for
            warnings.filterwarnings("ignore", message="Already found a `peft_config`")
            pipe.load_lora_weights(str(path), weight_name=files.LORA, adapter_name=adapter_name, local_files_only=True)
    return taught_concepts(manifest, path, adapter_name)


def taught_concepts(manifest: files.Manifest, folder: Path, adapter_name: str = ADAPTER) -> TaughtConcepts:
    """Return what a pipeline has learnt that has what the folder of a manifest holds."""
    return TaughtConcepts(
        prompt=manifest.prompt,
        concepts=manifest.concepts,
        method=manifest.method,
        folder=folder,
        adapter=adapter_name if manifest.weights == "lora" else None,
    )


def load_custom_diffusion(denoiser: nn.Module, file: Path | str) -> None:
    """Write Custom-Diffusion weights in diffusers' format into `denoiser`, so that its own processors stay.

    `unet.load_attn_procs` of diffusers reads the same file and sets nothing. Unlike its processor, which replaces the
    site's own and with it LoRA and IP-Adapter, the projections themselves change. Raises `ConceptsDoNotFit`.
    """
    copy_weights(denoiser, custom_diffusion_weights(denoiser, Path(file)))
