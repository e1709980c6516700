"""Phase 'denoiser' of a joint-attention model: the transformer and its two text encoders, trained by flow matching."""

from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusion3Pipeline
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTokenizer

from heedful.world.joint import build_flow_scheduler, build_joint_text_encoder, build_transformer, encode_captions
from heedful.world.latents import PatchProjection
from heedful.world.training.denoising_batch import DenoisingBatch
from heedful.world.training.loop import Phase
from heedful.world.training.recipe import Recipe, stage_at
from heedful.world.training.sample_sheet import SHEET, write_samples

NOISE_MEAN, NOISE_SPREAD = 0.5, 1.2
"""Mean and spread of the logit of the noise level. How many objects there will be is settled above 0.85, where a mean
of 0 and a spread of 1 draw one sample in 25."""


class JointDenoiserPhase(Phase):
    """Rectified flow with logit-normal noise levels (Esser et al. 2024, arXiv 2403.03206, section 3.1)."""

    def __init__(
        self, recipe: Recipe, tokenizer: CLIPTokenizer, projection: PatchProjection, device: torch.device
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.name = "denoiser"
        self.recipe = recipe
        self.tokenizer = tokenizer
        self.projection = projection
        self.device = device
        self.transformer = build_transformer(**dict(recipe.denoiser_config))
        self.text_encoders = nn.ModuleList([build_joint_text_encoder(tokenizer) for _ in range(2)])
        self.modules = nn.ModuleDict({"transformer": self.transformer, "text_encoders": self.text_encoders}).to(device)
        self.steps = sum(stage.steps for stage in recipe.stages)

    def start_from(self, parts: Any) -> None:
        """Begin with the weights of a trained pipeline, if it has joint attention too; else from random ones."""
        if isinstance(parts, StableDiffusion3Pipeline):
            self.transformer.load_state_dict(parts.transformer.state_dict())
            for encoder, trained in zip(self.text_encoders, (parts.text_encoder, parts.text_encoder_2), strict=True):
                encoder.load_state_dict(trained.state_dict())

    def pipeline(self, autoencoder: Any) -> StableDiffusion3Pipeline:
        """What was trained, with an autoencoder, as an ordinary pipeline without T5."""
        autoencoder.register_to_config(shift_factor=0.0)
        encoders: list[Any] = list(self.text_encoders)
        first, second = encoders
        return StableDiffusion3Pipeline(
            transformer=self.transformer,
            scheduler=build_flow_scheduler(),
            vae=autoencoder,
            text_encoder=first,
            tokenizer=self.tokenizer,
            text_encoder_2=second,
            tokenizer_2=self.tokenizer,
            text_encoder_3=None,  # pyright: ignore[reportArgumentType]
            tokenizer_3=None,
        )

    def loss(self, step: int) -> Tensor:
        """Mean squared error of the flow of a batch of captioned renders."""
        stage = stage_at(self.recipe.stages, step)
        batch = DenoisingBatch.draw(self.recipe, stage, self.name, step, self.projection)
        latents, noise = batch.latents, batch.noise
        logits = NOISE_MEAN + NOISE_SPREAD * torch.special.ndtri(batch.uniform.clamp(1e-4, 1 - 1e-4))
        levels = logits.sigmoid()
        share = levels[:, None, None, None]
        noisy, flow = (1 - share) * latents + share * noise, noise - latents
        # fused attention in bfloat16 is slow backwards on a CPU
        with torch.autocast(self.device.type, torch.bfloat16, self.recipe.bfloat16), sdpa_kernel(SDPBackend.MATH):
            states, pooled = encode_captions(self.tokenizer, self.text_encoders, batch.captions)
            predicted = self.transformer(
                hidden_states=noisy.to(self.device),
                encoder_hidden_states=states,
                pooled_projections=pooled,
                timestep=(1000 * levels).to(self.device),
            ).sample
        return (predicted.float() - flow.to(self.device)).square().mean()

    @torch.no_grad()
    def report(self, folder: Path, step: int) -> None:
        """Write a sheet of samples by Euler steps."""
        states, pooled = encode_captions(self.tokenizer, self.text_encoders, [""] * len(SHEET) + list(SHEET))

        def predict(latents: Tensor, timestep: Tensor) -> Tensor:
            return self.transformer(
                hidden_states=latents,
                encoder_hidden_states=states,
                pooled_projections=pooled,
                timestep=timestep.expand(len(latents)).to(self.device),
            ).sample

        write_samples(
            folder / f"samples-{step:05d}.png",
            build_flow_scheduler(),
            predict,
            self.projection,
            int(self.transformer.config.in_channels),  # pyright: ignore[reportAttributeAccessIssue]
            self.device,
        )
