"""Phase 'autoencoder': an AutoencoderKL fitted to the projected latents, encoder and decoder apart.

The encoder imitates the projection, so that img2img, inpainting and teaching start from the latents the denoiser knows.
The decoder turns latents into images; noise on its input teaches it to accept what a sampler leaves.
"""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from heedful.world.architecture import build_autoencoder
from heedful.world.latents import PatchProjection
from heedful.world.training.batches import random_scenes, rendered, step_rng, to_images, torch_generator
from heedful.world.training.loop import Phase
from heedful.world.training.recipe import Recipe

MIX = (0.4, 0.4, 0.2)
LATENT_NOISE = 0.12


class AutoencoderPhase(Phase):
    """Decoder: L1 + 2 MSE on images; encoder: 4 MSE on latents, its log-variance towards -12 (nearly no noise)."""

    def __init__(self, recipe: Recipe, projection: PatchProjection, device: torch.device) -> None:
        torch.manual_seed(recipe.seed + 1)
        self.name = "autoencoder"
        self.recipe = recipe
        self.projection = projection
        self.device = device
        self.autoencoder = build_autoencoder(**dict(recipe.autoencoder))
        self.modules = nn.ModuleDict({"autoencoder": self.autoencoder}).to(device)
        self.steps = recipe.autoencoder_steps

    def loss(self, step: int) -> Tensor:
        """Loss of a batch of renders: images and latents."""
        rng = step_rng(self.recipe.seed, self.name, step)
        images = rendered(random_scenes(rng, self.recipe.autoencoder_batch, MIX))
        generator = torch_generator(rng)
        latents = self.projection.encode(images)
        strength = LATENT_NOISE * torch.rand(len(latents), 1, 1, 1, generator=generator)
        noisy = latents + strength * torch.randn(latents.shape, generator=generator)
        images, latents = images.to(self.device), latents.to(self.device)
        decoded = self.autoencoder.decode(noisy.to(self.device)).sample  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]
        posterior = self.autoencoder.encode(images).latent_dist  # pyright: ignore[reportAttributeAccessIssue]
        pixel = (decoded - images).abs().mean() + 2 * (decoded - images).square().mean()
        return pixel + 4 * (posterior.mean - latents).square().mean() + 1e-3 * (posterior.logvar + 12).square().mean()

    @torch.no_grad()
    def report(self, folder: Path, step: int) -> None:
        """Renders above, their encoding decoded below."""
        rng = step_rng(self.recipe.seed, "autoencoder-report", 0)
        images = rendered(random_scenes(rng, 12, MIX)).to(self.device)
        latents = self.autoencoder.encode(images).latent_dist.mean  # pyright: ignore[reportAttributeAccessIssue]
        decoded = self.autoencoder.decode(latents).sample  # pyright: ignore[reportAttributeAccessIssue]
        rows = [row.transpose(1, 0, 2, 3).reshape(64, -1, 3) for row in (to_images(images), to_images(decoded))]
        sheet = Image.fromarray(rows[0]), Image.fromarray(rows[1])
        page = Image.new("RGB", (sheet[0].width, 128))
        page.paste(sheet[0], (0, 0))
        page.paste(sheet[1], (0, 64))
        page.resize((page.width * 2, 256), Image.Resampling.NEAREST).save(folder / f"decoded-{step:05d}.png")
