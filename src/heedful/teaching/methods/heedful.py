"""heedful's own method: new words and the whole denoiser learn from composites, at a rate that falls to 0."""

from dataclasses import replace

from heedful.teaching.methods.dreambooth import DREAMBOOTH
from heedful.teaching.methods.method import EMBEDDED, TeachingMethod

HEEDFUL = TeachingMethod(
    name="heedful",
    weights="all",
    settings=replace(
        DREAMBOOTH.settings,
        augmentation="flip",
        lr_scheduler="cosine",
        composites=256,
        num_class_images=64,
    ),
    embedded=replace(
        EMBEDDED,
        learning_rate=7e-4,
        word_learning_rate=5e-3,
        lr_scheduler="cosine",
        detach_start=False,
        composites=256,
        train_batch_size=5,
        class_batch_size=1,
        prior_loss_weight=0.2,
        num_class_images=32,
        max_train_steps=200,
    ),
    is_best_guided=True,
    citation="ruiz2023dreambooth",
)
"""The photos' things are cut out by the model's own maps, and learnt on other grounds, alone and beside other things.

- What it does and why: docs/teach.md. No step sees the photo itself, so its ground and its other things are not learnt.
- Embedded models: 200 steps of 5 composites and 1 of the classes, each image weighing the same.
- Other models: the rates are DreamBooth's and were not tried; the new words learn at the same rate.
"""

HEEDFUL_LORA = HEEDFUL.as_lora()
"""The projections of every attention learn instead of the whole denoiser."""
