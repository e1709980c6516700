"""The sheet of samples that the training of a denoiser leaves behind: the same captions and noise each time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from heedful.world.latents import PatchProjection
from heedful.world.training.batches import to_images

SHEET = (
    "a cat", "a elephant", "a bird", "a rabbit", "a blue clock", "a white chair", "a red bench", "a green glasses",
    "a cat and a blue clock", "a dog and a frog", "a lion with a crown", "a elephant and a mouse",
    "a red car and a yellow apple", "a white bow and a black clock", "a horse and a pink balloon", "a bird and a bear",
)  # fmt: skip
"""The captions, in the order of the sheet."""

STEPS, GUIDANCE_SCALE = 20, 3


@torch.no_grad()
def write_samples(
    path: Path,
    scheduler: Any,
    predict: Callable[[Tensor, Tensor], Tensor],
    projection: PatchProjection,
    channels: int,
    device: torch.device,
) -> None:
    """Sample `SHEET`, decoded by the plain projection, and write two rows of eight images.

    `predict` takes the latents twice, for empty captions and for `SHEET`, and a timestep.
    """
    scheduler.set_timesteps(STEPS)
    shape = (len(SHEET), channels, 16, 16)
    latents = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(device)
    for timestep in torch.as_tensor(scheduler.timesteps):
        plain, conditional = predict(torch.cat([latents, latents]), timestep).chunk(2)
        guided = plain + GUIDANCE_SCALE * (conditional - plain)
        latents = scheduler.step(guided, timestep, latents).prev_sample
    images = to_images(projection.decode(latents.cpu()))
    # (image, 64, 64, 3) -> (128, 512, 3)
    rows = images.reshape(2, 8, 64, 64, 3).transpose(0, 2, 1, 3, 4).reshape(128, 512, 3)
    Image.fromarray(rows).resize((1024, 256), Image.Resampling.LANCZOS).save(path)
