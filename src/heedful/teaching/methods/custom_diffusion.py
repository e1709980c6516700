"""Custom Diffusion (Kumari et al., CVPR 2023, arXiv 2212.04488): words, keys and values of cross-attention learn."""

from heedful.teaching.methods.method import EMBEDDED, TeachingMethod

CUSTOM_DIFFUSION = TeachingMethod(name="custom-diffusion", embedded=EMBEDDED, citation="kumari2023custom")
"""Class images preserve the prior, and training images are shown far away and close up, with words that say so.

- Published: 250 steps of 4 images and 4 class images at 8e-5, which is what its code's 1e-5 comes to.
- Embedded models: images are mirrored alone; see `EMBEDDED`.
- Different here: class images are generated for the prompt without placeholders, all with that one caption, where the
  paper retrieves 200 of LAION with a caption each; the loss is the mean over training images plus the mean over class
  images, where the code takes the mean over the mixed batch; gradients are clipped to norm 1, as in diffusers' script;
  rare tokens are given to the words in diffusers' order; AdamW's weight decay acts on the new words alone.
"""

CUSTOM_DIFFUSION_LORA = CUSTOM_DIFFUSION.as_lora()
"""Low-rank additions to the same keys and values."""
