"""A lesson so small that a test can afford it: one random picture, one or two concepts, a few steps."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from heedful.attention import SiteSelection
from heedful.options import ClassImageOptions, TrainingOptions
from heedful.teaching import (
    Callbacks,
    TaughtConcepts,
    TeachingMethod,
    TeachingSettings,
    teach,
)

PROMPT = "a <cat1> cat and a <dog1> dog"


def picture(seed: int = 0, size: int = 16) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def name_of(method: TeachingMethod) -> str:
    return method.name


def short(method: TeachingMethod, **changes: Any) -> TeachingSettings:
    """The published settings, for three steps on one picture and two prior ones."""
    small = {
        "max_train_steps": 3,
        "train_batch_size": 2,
        "num_class_images": 2,
        "composites": min(4, method.settings.composites),
        "say_scale": False,
        "sites": SiteSelection(),
    }
    return replace(method.settings, **(small | {"learning_rate": 1e-2} | changes))


def taught(pipe: Any, method: TeachingMethod, out: Path, prompt: str = PROMPT, **changes: Any) -> TaughtConcepts:
    """Teach a tiny pipeline; what is no setting goes to `teach`."""

    def taken(kind: type) -> dict[str, Any]:
        return {each.name: changes.pop(each.name) for each in fields(kind) if each.name in changes}

    others = {name: changes.pop(name) for name in ("masks", "settings", "base_model") if name in changes}
    given: dict[str, Any] = {
        "class_images": ClassImageOptions(**({"class_steps": 2} | taken(ClassImageOptions))),
        "training": TrainingOptions(**({"resolution": 16} | taken(TrainingOptions))),
        "callbacks": Callbacks(**taken(Callbacks)),
        **others,
    }
    given.setdefault("settings", short(method, **changes))
    return teach(pipe, picture(), prompt, method, out=out, **given)


def parameters(pipe: Any) -> dict[str, torch.Tensor]:
    """A copy of every weight of a pipeline, by the name of its part."""
    parts = {name: part for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}
    return {
        f"{name}.{key}": value.detach().clone()
        for name, part in parts.items()
        for key, value in part.named_parameters()
    }
