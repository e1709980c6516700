"""A folder of taught concepts: which files it holds, the manifest that says it is whole, and how it is emptied.

Everything in it is safetensors and JSON, written through `heedful.folders.OutputFolder`, the manifest last.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from heedful.attention import Pipeline, find_denoiser
from heedful.errors import ConceptsDoNotFit, ModelNotFound, UnsafeWeights
from heedful.fields import check_fields
from heedful.files import PICKLES
from heedful.folders import OWN, OutputFolder
from heedful.teaching import concepts as reserved
from heedful.teaching.class_images import CLASS_IMAGES
from heedful.teaching.concepts import NewConcept
from heedful.teaching.text_embeddings import encoder_names, text_parts

MANIFEST = "concepts.json"
CARD = "README.md"
LOSSES = "losses.json"
LORA = f"{reserved.LORA}.safetensors"
LORA_CONFIG = "adapter_config.json"
"""What peft reads of a LoRA."""
CUSTOM_DIFFUSION = f"{reserved.CUSTOM_DIFFUSION}.safetensors"
DENOISER = "unet"
CHECKPOINT = f"{OWN}/checkpoint.safetensors"
"""Where a placeholder's file never lies."""
FORMAT = 1

Format = Literal["none", "custom-diffusion", "lora", "unet"]
_TRANSFORMER_SHAPES = ("num_layers", "num_single_layers", "num_attention_heads", "attention_head_dim", "in_channels")
_WEIGHTS: dict[str, tuple[str, ...]] = {
    "none": (),
    "custom-diffusion": (CUSTOM_DIFFUSION,),
    "lora": (LORA, LORA_CONFIG),
    "unet": (f"{DENOISER}/config.json", f"{DENOISER}/diffusion_pytorch_model.safetensors"),
}


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a folder holds and how it came about: enough to make it again."""

    prompt: str
    """The prompt that the concepts were learnt with."""
    concepts: tuple[NewConcept, ...]
    method: str
    weights: Format
    """How the denoiser's weights are stored next to the embeddings."""
    base: dict[str, Any]
    """What `architecture` says of the base model."""
    training: dict[str, Any] = field(default_factory=dict)
    """Everything that decided the result, images by their SHA-256, and the versions that it ran on."""
    license: str | None = None
    """As the Hub names it; None if nobody said."""
    format: int = FORMAT

    def files(self) -> tuple[str, ...]:
        """Return the names of the files that such a folder holds."""
        embeddings = (f"{concept.name}.safetensors" for concept in self.concepts)
        return (*embeddings, *_WEIGHTS[self.weights], LOSSES, CARD, MANIFEST)

    def json(self) -> str:
        """Return the content of `MANIFEST`."""
        return json.dumps(asdict(self), indent=2, default=str) + "\n"


def architecture(pipe: Pipeline) -> dict[str, Any]:
    """Return what must agree between the model that learnt and the one that loads: shapes, not weights."""
    denoiser = find_denoiser(pipe)
    config = getattr(denoiser, "config", {})
    widths = [encoder.get_input_embeddings().weight.shape[1] for _, encoder in text_parts(pipe)]
    shapes = {name: config[name] for name in _TRANSFORMER_SHAPES if config.get(name) is not None}
    if isinstance(config.get("block_out_channels"), list | tuple):
        shapes = {
            "block_out_channels": list(config["block_out_channels"]),
            "cross_attention_dim": config.get("cross_attention_dim"),
        }
        return {"denoiser": type(denoiser).__name__, **shapes, "text_widths": widths}
    return {"denoiser": type(denoiser).__name__, **shapes, "text_widths": widths, "encoders": list(encoder_names(pipe))}


def clear(output: OutputFolder) -> None:
    """Remove what heedful has written to a folder, the manifest first, and its class images; the caller has the lock.

    What heedful has not made stays, and so does what lies behind a link.
    """
    made = sorted(output.claimed(), key=lambda name: name != MANIFEST)
    for name in [*made, CHECKPOINT]:
        output.inside(name).unlink(missing_ok=True)
    shelf = OutputFolder(output.folder / CLASS_IMAGES)
    if shelf.claimed() and not shelf.folder.is_symlink():
        with shelf.locked():
            for name in shelf.claimed():
                shelf.inside(name).unlink(missing_ok=True)


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
            "Name the folder of a training that has finished."
        )
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        if said["format"] != FORMAT:
            raise ConceptsDoNotFit(
                f"Expected a manifest of format {FORMAT} in {file}, got format {said['format']!r}. Update heedful, or "
                "teach again."
            )
        concepts = tuple(_concept(each) for each in said.pop("concepts"))
        check_fields(Manifest, said | {"concepts": concepts}, "fields of a manifest")
        return Manifest(concepts=concepts, **said)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as reason:
        raise ConceptsDoNotFit(
            f"Expected a manifest that heedful teach wrote in {file}, got something else ({reason})."
        ) from reason


def _concept(said: Any) -> NewConcept:
    check_fields(NewConcept, said, "fields of a concept")
    return NewConcept(**said)
