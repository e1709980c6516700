"""Textual Inversion (Gal et al., ICLR 2023, arXiv 2208.01618): the new words alone learn."""

from dataclasses import replace

from heedful.teaching.methods.method import EMBEDDED, TeachingMethod
from heedful.teaching.settings import TeachingSettings

TEXTUAL_INVERSION = TeachingMethod(
    name="textual-inversion",
    weights="none",
    settings=TeachingSettings(
        learning_rate=1e-4,
        max_train_steps=5000,
        with_prior_preservation=False,
        augmentation="flip",
        detach_start=False,
    ),
    embedded=replace(EMBEDDED, with_prior_preservation=False),
    citation="gal2023image",
)
"""The denoiser stays as it is.

- Published: the rate and the steps are those of diffusers' script.
- Embedded models: 300 steps at 1e-2, as for the other methods.
- Different here: captions are the user's one prompt instead of the script's templates ("a rendering of a ..."), and the
  class noun stands behind the word, so that all methods have the same prompts.
"""
