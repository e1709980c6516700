"""Where the embedded models lie, and how they are loaded: from the package, never from a network."""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline, StableDiffusionPipeline
from transformers import CLIPModel, CLIPProcessor

from heedful.errors import ModelNotFound
from heedful.whole_models import load_whole_pipeline
from heedful.world.architecture import is_world
from heedful.world.clip import FOLDER as CLIP_FOLDER
from heedful.world.clip import load_clip as _load_clip
from heedful.world.detector import Detector
from heedful.world.joint import JointPipeline, is_joint_world

NAME = "embedded world"
"""What people, cards and records call the first of them."""
DEFAULT = "sprites"
WORLDS = {
    "sprites": "small objects apart: its failures are copies",
    "crowded": "large objects that overlap, captions like alt text: it forgets and mixes concepts",
    "joint": "objects on a grid by joint attention, as in Stable Diffusion 3",
}
"""The embedded models by name, with what each is for."""
_ALL = Path(__file__).parent / "weights"
WEIGHTS = _ALL / DEFAULT
_PIPELINES: dict[str, type[DiffusionPipeline]] = {
    "StableDiffusionPipeline": StableDiffusionPipeline,
    "StableDiffusion3Pipeline": JointPipeline,
}


def folder_of(world: Path | str | None = None) -> Path:
    """Return the folder of an embedded model by its name, None for the first; a path stays what it is."""
    if world is None:
        return WEIGHTS
    return _ALL / world if isinstance(world, str) and world in WORLDS else Path(world)


def load(world: Path | str | None = None, **kwargs: Any) -> Any:
    """Load an embedded model by name, or one that `heedful world train` made in a folder, as a diffusers pipeline.

    `kwargs` go to the pipeline's `from_pretrained`. All make images of 64x64 px. Weights are kept in half precision and
    computed in float32 unless `dtype` says otherwise. Raises `ModelNotFound`, and `ModelError` if a weight is missing
    or left over.
    """
    folder = folder_of(world)
    index = folder / "model_index.json"
    if not index.is_file():
        raise ModelNotFound(
            f"Expected a world ({', '.join(WORLDS)}) or a folder that holds one, got {world} "
            f"(no model_index.json in {folder}). Make one with `heedful world train`."
        )
    kind = json.loads(index.read_text(encoding="utf-8")).get("_class_name", "")
    if kind not in _PIPELINES:
        raise ModelNotFound(
            f"Expected a model of one of the kinds {', '.join(_PIPELINES)} in {folder}, got {kind or 'none'}. "
            "Name the folder of a world, or make one with `heedful world train`."
        )
    options: dict[str, Any] = {"dtype": torch.float32, "is_strict": True}
    if _PIPELINES[kind] is JointPipeline:
        # diffusers asks for them by name, though the model has none
        options |= {"text_encoder_3": None, "tokenizer_3": None}
    return load_whole_pipeline(_PIPELINES[kind], folder, **(options | kwargs))


def is_embedded(denoiser: object) -> bool:
    """Whether a denoiser has the architecture of an embedded model, whose words are those of the vocabulary."""
    return is_world(denoiser) or is_joint_world(denoiser)


def detector_folder(world: Path | str | None = None) -> Path | None:
    """Return the folder with the detector that judges a model, None if there is none.

    It is the model's own; the first embedded model's judges those embedded ones that have none.
    """
    folder = folder_of(world)
    if (folder / "detector.safetensors").is_file():
        return folder
    return WEIGHTS if folder.parent == _ALL else None


def load_detector(world: Path | str | None = None) -> Detector:
    """Load the detector that judges a model (`detector_folder`); raises `ModelNotFound`."""
    return Detector.load(detector_folder(world) or folder_of(world))


def load_clip(world: Path | str | None = None) -> tuple[CLIPModel, CLIPProcessor]:
    """Load the CLIP of an embedded model, or of the one in a folder, with its processor; raises `ModelNotFound`.

    An embedded model without one of its own has the first one's.
    """
    folder = folder_of(world)
    is_shared = folder.parent == _ALL and not (folder / CLIP_FOLDER).is_dir()
    return _load_clip(WEIGHTS if is_shared else folder)
