"""OSI (ICML 2026, arXiv 2605.14270): in joint attention, the keys of a concept say whether the image shows it yet.

Probes on images whose concepts are known to be there or not find, in each head, the direction from the keys of present
concepts to those of absent ones. Moved along it, the keys of every concept ask for what is missing. No gradient is
taken, so nothing is paid for it. Written from a digest of the paper.
"""

from dataclasses import replace

from heedful.steering import EMBEDDED, KeyShift, Method, Settings

OSI = Method(
    name="osi",
    loss=None,
    settings=Settings(key_shift=KeyShift(strength=5.0, guided=0.5)),
    embedded=replace(EMBEDDED, key_shift=KeyShift(strength=5.0, guided=0.5)),
)
"""Keys of the concepts move towards those of absent ones.

- Published for FLUX.1 dev: 300 of 1368 heads, 5 standard deviations, the first 15 of 30 steps, of which the first five
  give most. For Stable Diffusion 3.5: 100 heads, 7.5 standard deviations. The control is a random direction
  (`KeyShift.randomised`), which the paper reports, too; the opposite sign collapses.
- Needs heads, which belong to one denoiser: `heedful.lab.fit_probes` finds them, with the exact detector of the
  embedded models as the judge of what is there. Without them it is refused.
- Left open, in the digest: over which steps and images a probe is fitted, and how heads are ranked (here: by the area
  under the curve on the half of the prompts that the direction was not fitted on); whether modifiers move too (here:
  nouns alone).
- Joint attention alone: in cross-attention the keys of the text do not depend on the image, so nothing can be found.
"""
