"""Where the embedded model lies, and how it is loaded: from the package, never from a network."""

from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from transformers import CLIPModel, CLIPProcessor

from heedful.errors import ModelNotFound
from heedful.world.clip import load_clip as _load_clip
from heedful.world.detector import Detector

NAME = "embedded world"
"""What people, cards and records call it."""
WEIGHTS = Path(__file__).parent / "weights"


def load(folder: Path | str | None = None, **kwargs: Any) -> StableDiffusionPipeline:
    """Load the embedded model, or one that `heedful world train` made in `folder`, as an ordinary diffusers pipeline.

    `kwargs` go to `StableDiffusionPipeline.from_pretrained`. It paints 64x64 px; its weights are kept in half precision
    and computed in float32 unless `dtype` says otherwise. Raises `ModelNotFound`.
    """
    place = Path(folder) if folder is not None else WEIGHTS
    if not (place / "model_index.json").is_file():
        raise ModelNotFound(
            f"Expected a model of the world in {place}, found none (no model_index.json). "
            "Name the folder of another, or make one with `heedful world train`."
        )
    options = {"dtype": torch.float32, "local_files_only": True, "use_safetensors": True} | kwargs
    return StableDiffusionPipeline.from_pretrained(str(place), **options)


def load_detector(folder: Path | str | None = None) -> Detector:
    """Load the detector of the embedded model, or of the world model in `folder`; raises `ModelNotFound`."""
    return Detector.load(Path(folder) if folder is not None else WEIGHTS)


def load_clip(folder: Path | str | None = None) -> tuple[CLIPModel, CLIPProcessor]:
    """Load the CLIP of the embedded model, or of the world model in `folder`, with its processor.

    Raises `ModelNotFound`.
    """
    return _load_clip(Path(folder) if folder is not None else WEIGHTS)
