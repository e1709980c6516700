"""A prompt as a pipeline's text encoders read it: which tokenizer, and where its tokens stand among the denoiser's.

Knows, for each family, which of a pipeline's tokenizers its denoiser's text comes from. Knows nothing of concepts.
"""

from collections.abc import Sequence
from typing import Any

from heedful.attention import CROSS_ATTENTION_TRANSFORMER, FLUX, STABLE_DIFFUSION_3, find_denoiser, layout_of
from heedful.prompts import Prompt


def parse_prompt(pipe: Any, text: str, concepts: Sequence[str] | None = None) -> Prompt:
    """Return the prompt `text` with its concepts, as `pipe` will read it; raises what `Prompt.parse` raises.

    Stable Diffusion 3 reads it twice, by CLIP and by T5, and a concept has its tokens of both. FLUX shows its denoiser
    T5's alone; PixArt's T5 reads lower case. The second encoder of SDXL has the tokens of the first.
    """
    denoiser = find_denoiser(pipe)
    layout = None if denoiser is None else layout_of(denoiser)
    if layout is FLUX:
        return Prompt.parse(text, pipe.tokenizer_2, concepts)
    if layout is CROSS_ATTENTION_TRANSFORMER:
        return Prompt.parse(text.lower().strip(), pipe.tokenizer, concepts)
    prompt = Prompt.parse(text, pipe.tokenizer, concepts)
    if layout is STABLE_DIFFUSION_3 and pipe.tokenizer_3 is not None:
        return prompt.beside(Prompt.parse(text, pipe.tokenizer_3, concepts), shift=pipe.tokenizer_max_length)
    return prompt
