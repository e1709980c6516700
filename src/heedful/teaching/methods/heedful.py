"""heedful's own method: new words and the whole denoiser learn, with DisenDiff's losses, at a rate that falls to 0."""

from dataclasses import replace

from heedful.teaching.methods.disendiff import DISENDIFF
from heedful.teaching.methods.dreambooth import DREAMBOOTH
from heedful.teaching.methods.method import EMBEDDED, TeachingMethod

HEEDFUL = TeachingMethod(
    name="heedful",
    weights="all",
    loss=DISENDIFF.loss,
    settings=replace(DREAMBOOTH.settings, augmentation="flip", lr_scheduler="cosine"),
    embedded=replace(EMBEDDED, learning_rate=2e-3, lr_scheduler="cosine", detach_start=False),
    citation="ruiz2023dreambooth",
)
"""What did best on the embedded model (docs/teach.md).

- Other models: the numbers are DreamBooth's and were not tried; the new words learn at the same rate.
"""

HEEDFUL_LORA = HEEDFUL.as_lora()
"""The projections of every attention learn instead of the whole denoiser."""
