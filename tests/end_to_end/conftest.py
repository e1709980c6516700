"""Pipelines of three kinds, and what each was taught in a few steps, for tests that put things on top."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from heedful import world
from heedful.attention import SiteSelection
from heedful.models import Model
from heedful.options import TrainingOptions
from heedful.teaching import METHODS, TeachingSettings, teach
from tests.pipelines import generator, tiny_pipeline, tiny_sdxl_pipeline

PROMPT = "a <cat1> cat and a <dog1> dog"


def _world() -> Any:
    pipe = world.load()
    pipe.set_progress_bar_config(disable=True)
    return pipe


MAKERS: dict[str, Callable[[], Any]] = {
    "embedded world": _world,
    "Stable Diffusion": tiny_pipeline,
    "SDXL": tiny_sdxl_pipeline,
}


@dataclass(frozen=True)
class Kind:
    """One kind of pipeline."""

    name: str
    side: int
    """Pixels of its images."""
    folders: dict[str, Path]
    """What it was taught, by method."""

    def make(self) -> Any:
        """A fresh pipeline, which knows nothing yet."""
        return MAKERS[self.name]()

    def model(self) -> Model:
        return self.model_of(self.make())

    def model_of(self, pipe: Any) -> Model:
        return Model(pipe, self.name, "weights", Path(), "float32", self.name == "embedded world")

    def latents(self, pipe: Any, prompt: str = PROMPT, **settings: Any) -> torch.Tensor:
        defaults = {"num_inference_steps": 3, "guidance_scale": 3.0, "output_type": "latent", "generator": generator()}
        size = {"width": self.side, "height": self.side}
        return pipe(prompt, **(defaults | size | settings)).images


@pytest.fixture(scope="session", params=list(MAKERS))
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kind:
    """Taught once by DisenDiff and once by its LoRA, three steps each."""
    side = 64 if request.param == "embedded world" else 16
    noise = np.random.default_rng(0).normal(128, 90, (side, side)).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(noise).convert("RGB")
    settings = TeachingSettings(
        learning_rate=2e-3 if request.param == "embedded world" else 3e-2,
        max_train_steps=3,
        train_batch_size=1,
        with_prior_preservation=False,
        augmentation="flip",
        sites=SiteSelection(),
    )
    folders: dict[str, Path] = {}
    for name in ("disendiff", "disendiff-lora"):
        folders[name] = tmp_path_factory.mktemp(name)
        pipe = MAKERS[request.param]()
        teach(pipe, picture, PROMPT, METHODS[name], out=folders[name], settings=settings,
              training=TrainingOptions(resolution=side))  # fmt: skip
    return Kind(request.param, side, folders)
