"""DisenDiff (Zhang et al., CVPR 2024, arXiv 2403.18551): Custom Diffusion, and losses that keep the maps apart."""

from dataclasses import replace

from heedful.losses import Bind, SeparateAndStrengthen
from heedful.teaching.methods.custom_diffusion import CUSTOM_DIFFUSION

DISENDIFF = replace(
    CUSTOM_DIFFUSION, name="disendiff", loss=Bind() + SeparateAndStrengthen(), citation="zhang2024disendiff"
)
"""A word's map comes to the map of its class noun (L_bind), and the maps of the nouns part (L_s&s).

- Published: Custom Diffusion's numbers; the losses weigh 0.01 in the code, and the paper gives no weight.
- Where paper and code differ, the default is the code, whose figures the paper shows. Every choice is a field of `Bind`
  and `SeparateAndStrengthen`, which say which; `DISENDIFF.with_loss(ratio="true")` changes it.
- Different here, in addition to what differs for Custom Diffusion:
  - The published loss is one mean over the mixed batch. Here the denoising losses of training and class images are two
    means, so the losses on maps count 0.5 to 0.67 times as much next to them.
  - A word of several tokens has the mean of their maps, where the code takes the first token. A concept with several
    modifiers binds each of them.
  - Maps are scaled by max(range, 1.2e-7), where the code adds 1e-8: it differs by more than 1e-5 only for ranges below
    1e-3. Masks are shrunk to the latents by area.
  - Embedded models: maps of 8x8 locations at 2 sites of the up blocks instead of 16x16 at 5. The Gaussian covers twice
    the share of such a map, and the 1 in the ratio weighs four times as much. Images are mirrored alone.
- Measured: at 0.01 the losses on maps are 1.6 % of the denoising gradient on keys, 0.3 % on values and 2.9 % on the
  words (embedded model, one image, mean of 10 readings over 60 steps), and they hardly fall (1.88 to 1.84).
"""

DISENDIFF_LORA = DISENDIFF.as_lora()
"""Low-rank additions to the same keys and values."""
