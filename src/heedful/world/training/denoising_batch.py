"""What a denoiser learns from in one step, whatever it predicts: latents of captioned renders, and noise for them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from heedful.world.latents import PatchProjection
from heedful.world.training.batches import random_scenes, rendered, step_rng, torch_generator
from heedful.world.training.captions import noisy_caption
from heedful.world.training.recipe import Recipe, Stage


@dataclass(frozen=True, eq=False)
class DenoisingBatch:
    """Clean latents with their captions, and the noise that is laid over them."""

    latents: Tensor  # (batch, channel, height, width)
    noise: Tensor
    uniform: Tensor
    """A position in [0, 1) for each item, stratified: every batch covers the whole range of noise levels."""
    captions: list[str]
    """As noisy as the recipe says, and empty where the caption is dropped."""

    @classmethod
    def draw(cls, recipe: Recipe, stage: Stage, phase: str, step: int, projection: PatchProjection) -> "DenoisingBatch":
        """Draw the batch of one step of a phase, the same whatever ran before."""
        rng = step_rng(recipe.seed, phase, step)
        scenes = random_scenes(rng, stage.batch, stage.mix, stage.canvas, stage.sizes, recipe.style)
        dropped = rng.random(stage.batch) < recipe.caption_dropout
        captions = [noisy_caption(rng, scene, recipe.captions) for scene in scenes]
        captions = ["" if gone else caption for gone, caption in zip(dropped, captions, strict=True)]
        generator = torch_generator(rng)
        latents = projection.encode(rendered(scenes))
        noise = torch.randn(latents.shape, generator=generator)
        uniform = (torch.arange(stage.batch) + torch.rand(stage.batch, generator=generator)) / stage.batch
        return cls(latents, noise, uniform, captions)
