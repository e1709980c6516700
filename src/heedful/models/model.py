"""A pipeline that has been opened, and what it takes to recognise it again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from heedful.attention import ImagePipeline
from heedful.options import ModelOptions

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Model:
    """An opened pipeline, and what it takes to recognise it again."""

    pipe: ImagePipeline
    """A diffusers pipeline, on its device, without progress bars."""
    name: str
    """What the person asked for."""
    weights: str
    """Fingerprint of the weights: the same for the same files, wherever they lie."""
    folder: Path
    """Where the files lie."""
    dtype: str
    """A key of `DTYPES`."""
    is_world: bool
    """Whether it is an embedded model, or one of the architecture of an embedded U-Net."""
    on_top: Mapping[str, Any] = field(default_factory=dict)
    """What was loaded on top of the weights, by fingerprint, as plain JSON values."""
    options: ModelOptions = ModelOptions()  # noqa: RUF009 - frozen
    """How it was opened, so that another process can open the same."""

    @property
    def steps(self) -> int:
        """How many denoising steps a run takes unless another number is given."""
        return 20 if self.is_world else 50

    @property
    def guidance_scale(self) -> float:
        """The classifier-free guidance weight of a run unless another is given."""
        return 3.0 if self.is_world else 7.5

    @property
    def batch_size(self) -> int:
        """How many images are made together unless another number is given: one, or eight of the embedded models."""
        return 8 if self.is_world else 1
