"""Phase 'denoiser': the U-Net and the text encoder, trained together to predict velocity in the projected latents."""

from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTextModel, CLIPTokenizer

from heedful.world.architecture import build_scheduler, build_text_encoder, build_unet
from heedful.world.latents import PatchProjection
from heedful.world.training.batches import random_scenes, step_rng
from heedful.world.training.captions import noisy_caption
from heedful.world.training.denoising_batch import DenoisingBatch
from heedful.world.training.loop import Phase
from heedful.world.training.recipe import Recipe, stage_at
from heedful.world.training.sample_sheet import SHEET, write_samples
from heedful.world.training.transplant import begin_with, translate


class DenoiserPhase(Phase):
    """Velocity prediction (Salimans & Ho 2022, arXiv 2202.00512), the error of a sample weighted by its noise.

    The weight is min(1, 5 / (SNR + 1)), which caps nearly clean samples as min-SNR-5 does (Hang et al. 2023, arXiv
    2303.09556), times SNR / (SNR + h), h the stage's `half_weight_snr`. Min-SNR's own SNR / (SNR + 1) leaves little for
    the noise levels at which it is settled how many objects there will be.
    """

    def __init__(
        self,
        recipe: Recipe,
        tokenizer: CLIPTokenizer,
        projection: PatchProjection,
        device: torch.device,
        frozen: CLIPTextModel | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.name = "denoiser"
        self.recipe = recipe
        self.tokenizer = tokenizer
        self.projection = projection
        self.device = device
        self.unet = build_unet(**dict(recipe.denoiser_config))
        self.is_frozen = frozen is not None
        self.text_encoder = frozen if frozen is not None else build_text_encoder(tokenizer)
        learning = {"unet": self.unet} | ({} if self.is_frozen else {"text_encoder": self.text_encoder})
        self.modules = nn.ModuleDict(learning).to(device)
        self.steps = sum(stage.steps for stage in recipe.stages)
        self.cumulative = build_scheduler().alphas_cumprod

    def start_from(self, parts: Any) -> None:
        """Begin with the weights of a trained pipeline, thinned out where this denoiser is narrower.

        A frozen text encoder must be trained by then: its states are translated into those that the denoiser knows.
        """
        if not self.is_frozen:
            begin_with(self.unet, parts.unet)
            self.text_encoder.load_state_dict(parts.text_encoder.state_dict())
            return
        rng = step_rng(self.recipe.seed, "translation", 0)
        scenes = random_scenes(rng, 2000, (0.5, 0.5, 0.0), style=self.recipe.style)
        captions = ["", *(noisy_caption(rng, scene, self.recipe.captions) for scene in scenes)]
        tokens = self.tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
        with torch.no_grad():
            own = self.text_encoder(tokens.to(self.device))[0]
            trained = parts.text_encoder.to(self.device)(tokens.to(self.device))[0]
        begin_with(self.unet, parts.unet, translate(own, trained))

    def pipeline(self, autoencoder: Any) -> StableDiffusionPipeline:
        """What was trained, with an autoencoder, as an ordinary pipeline."""
        return StableDiffusionPipeline(
            vae=autoencoder,
            text_encoder=self.text_encoder,
            tokenizer=self.tokenizer,
            unet=self.unet,
            scheduler=build_scheduler(),  # pyright: ignore[reportArgumentType]
            safety_checker=None,  # pyright: ignore[reportArgumentType]
            feature_extractor=None,  # pyright: ignore[reportArgumentType]
            requires_safety_checker=False,
        )

    def loss(self, step: int) -> Tensor:
        """Velocity loss of a batch of captioned renders."""
        stage = stage_at(self.recipe.stages, step)
        batch = DenoisingBatch.draw(self.recipe, stage, self.name, step, self.projection)
        latents, noise = batch.latents, batch.noise
        timesteps = (batch.uniform * len(self.cumulative)).long()
        signal = self.cumulative[timesteps].sqrt()[:, None, None, None]
        spread = (1 - self.cumulative[timesteps]).sqrt()[:, None, None, None]
        noisy, velocity = signal * latents + spread * noise, signal * noise - spread * latents
        snr = (signal / spread).square().flatten()
        weights = (5 / (snr + 1)).clamp(max=1) * snr / (snr + stage.half_weight_snr)
        # fused attention in bfloat16 is slow backwards on a CPU
        with torch.autocast(self.device.type, torch.bfloat16, self.recipe.bfloat16), sdpa_kernel(SDPBackend.MATH):
            predicted = self.unet(noisy.to(self.device), timesteps.to(self.device), self._embed(batch.captions)).sample
        errors = (predicted.float() - velocity.to(self.device)).square().mean((1, 2, 3))
        return (weights.to(self.device) * errors).mean()

    def _embed(self, captions: list[str]) -> Tensor:
        tokens = self.tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
        return self.text_encoder(tokens.to(self.device))[0]

    @torch.no_grad()
    def report(self, folder: Path, step: int) -> None:
        """Write a sheet of samples by DDIM."""
        text = torch.cat([self._embed([""] * len(SHEET)), self._embed(list(SHEET))])
        write_samples(
            folder / f"samples-{step:05d}.png",
            build_scheduler(),
            lambda latents, timestep: self.unet(latents, timestep, text).sample,
            self.projection,
            int(self.unet.config.in_channels),  # pyright: ignore[reportAttributeAccessIssue]
            self.device,
        )
