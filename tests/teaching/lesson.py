"""A lesson so small that a test can afford it: one random picture, one or two concepts, a few steps."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from heedful.attention import SiteSelection
from heedful.teaching import (
    Callbacks,
    ClassImages,
    TaughtConcepts,
    TeachingMethod,
    TeachingSettings,
    TrainingRun,
    teach,
)

PROMPT = "a <cat1> cat and a <dog1> dog"


def picture(seed: int = 0, size: int = 16) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def short(method: TeachingMethod, **changes: Any) -> TeachingSettings:
    """The published settings, for three steps on one picture and two prior ones."""
    small = {
        "max_train_steps": 3,
        "train_batch_size": 2,
        "num_class_images": 2,
        "say_scale": False,
        "sites": SiteSelection(),
    }
    return replace(method.settings, **(small | {"learning_rate": 1e-2} | changes))


def taught(pipe: Any, method: TeachingMethod, out: Path, prompt: str = PROMPT, **changes: Any) -> TaughtConcepts:
    """Teach a tiny pipeline; what is no setting goes to `teach`."""
    run, given = (
        {"checkpointing_steps", "gradient_checkpointing", "seed", "report_to", "validation_steps"},
        {"masks", "settings"},
    )
    told, others, calls = {}, {}, {}
    for name in list(changes):
        for names, into in ((run, told), (given, others), ({each.name for each in fields(Callbacks)}, calls)):
            if name in names:
                into[name] = changes.pop(name)
    class_images = ClassImages(class_data_dir=changes.pop("class_data_dir", None), arguments={"num_inference_steps": 2})
    return teach(
        pipe, picture(), prompt, method, out=out, class_images=class_images,
        run=TrainingRun(resolution=16, **told), callbacks=Callbacks(**calls), **({"settings": short(method, **changes)} | others),
    )  # fmt: skip


def parameters(pipe: Any) -> dict[str, torch.Tensor]:
    """A copy of every weight of a pipeline, by the name of its part."""
    parts = {name: part for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}
    return {
        f"{name}.{key}": value.detach().clone()
        for name, part in parts.items()
        for key, value in part.named_parameters()
    }
