"""The latent space of the world: a fixed linear projection of 4x4-pixel patches onto 8 principal components.

A fixed projection lets the denoiser train before any decoder exists. The AutoencoderKL that ships is fitted to it:
its encoder imitates `encode`, its decoder inverts it better than `decode` can.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from heedful.world.architecture import LATENT_CHANNELS, PATCH


@dataclass(frozen=True)
class PatchProjection:
    """z = (patch - mean) @ components / scales, patch by patch.

    `mean` (48,), `components` (48, 8) orthonormal columns, `scales` (8,).
    """

    mean: Tensor
    components: Tensor
    scales: Tensor

    @classmethod
    def fit(cls, images: Tensor) -> "PatchProjection":
        """Fit to images (image, 3, height, width) in [-1, 1].

        Scales are the square roots of the components' standard deviations: whitening by half leaves the coarse colours
        stronger than the fine edges, so that the denoiser settles them at higher noise. The overall variance is 1.
        """
        patches = _patches(images.double())
        mean = patches.mean((0, 1))
        covariance = torch.cov((patches - mean).reshape(-1, patches.shape[-1]).T)
        variances, vectors = torch.linalg.eigh(covariance)
        deviations = variances.flip(0)[:LATENT_CHANNELS].sqrt()
        components = vectors.flip(1)[:, :LATENT_CHANNELS]
        # eigenvectors come with a random sign: fix it, so that two machines agree
        components = components * components.sum(0).sign()
        scales = deviations.sqrt()
        scales = scales * (deviations / scales).square().mean().sqrt()
        return cls(mean.float(), components.float(), scales.float())

    @classmethod
    def imitating(cls, autoencoder: Any, images: Tensor) -> "PatchProjection":
        """Fit to what a trained autoencoder's encoder makes of images (image, 3, height, width) in [-1, 1].

        Such encoders imitate a projection of this kind, so that another denoiser can share their latents at its cost.
        """
        with torch.no_grad():
            latents = autoencoder.encode(images).latent_dist.mode()
        patches = _patches(images).flatten(0, 1).double()
        wanted = latents.flatten(2).transpose(1, 2).flatten(0, 1).double()
        # where all patches agree, nothing can be learnt, and the least norm is the answer
        fitted = torch.linalg.lstsq(patches - patches.mean(0), wanted - wanted.mean(0), driver="gelsd").solution
        # z = patch @ fitted + bias = (patch - mean) @ fitted
        bias = wanted.mean(0) - patches.mean(0) @ fitted
        mean = -torch.linalg.lstsq(fitted.T, bias[:, None], driver="gelsd").solution[:, 0]
        return cls(mean.float(), fitted.float(), torch.ones(fitted.shape[1]))

    def encode(self, images: Tensor) -> Tensor:
        """Images (batch, 3, height, width) in [-1, 1] to latents (batch, 8, height / 4, width / 4)."""
        height, width = images.shape[-2] // PATCH, images.shape[-1] // PATCH
        latents = (_patches(images) - self.mean) @ self.components / self.scales
        return latents.transpose(1, 2).unflatten(2, (height, width))

    def decode(self, latents: Tensor) -> Tensor:
        """Latents back to images by the transposed projection: what is lost stays lost."""
        height, width = latents.shape[-2:]
        inverse = torch.linalg.pinv(self.components)
        patches = (latents.flatten(2).transpose(1, 2) * self.scales) @ inverse + self.mean
        return torch.nn.functional.fold(
            patches.transpose(1, 2), (height * PATCH, width * PATCH), kernel_size=PATCH, stride=PATCH
        )


def _patches(images: Tensor) -> Tensor:
    unfolded = torch.nn.functional.unfold(images, kernel_size=PATCH, stride=PATCH)  # -> (batch, 48, patch)
    return unfolded.transpose(1, 2)
