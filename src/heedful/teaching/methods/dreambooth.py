"""DreamBooth (Ruiz et al., CVPR 2023, arXiv 2208.12242): the whole denoiser learns what a rare word means."""

from dataclasses import replace

from heedful.teaching.methods.method import EMBEDDED, TeachingMethod
from heedful.teaching.settings import TeachingSettings

DREAMBOOTH = TeachingMethod(
    name="dreambooth",
    trains_embeddings=False,
    weights="all",
    settings=TeachingSettings(
        learning_rate=5e-6,
        max_train_steps=800,
        train_batch_size=1,
        num_class_images=100,
        augmentation="none",
        detach_start=False,
    ),
    embedded=replace(EMBEDDED, learning_rate=1e-3, detach_start=False),
    citation="ruiz2023dreambooth",
)
"""Class images preserve the prior.

- Published: the numbers are those of diffusers' script.
- Different here: the rare word is a new token that begins, and stays, as a rare one.
"""

DREAMBOOTH_LORA = DREAMBOOTH.as_lora()
"""The projections of every attention learn, self-attention too, as in diffusers' script."""
