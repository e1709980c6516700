"""Maps of an image that is there: noise is added and read, and nothing is generated.

Inpainting with nothing to paint: diffusers' own classes give each step the image with that step's noise. The first step
sees noise alone. What the denoiser predicts is thrown away.
"""

import re
from collections.abc import Sequence

from PIL import Image

from heedful.attention import ImagePipeline
from heedful.errors import SettingsError
from heedful.guidance import MapHistory, guide, parse_prompt
from heedful.guidance.methods import NONE
from heedful.images.inpainting import inpainting_pipe, keeping_all
from heedful.images.painting import sample
from heedful.images.request import PromptLine
from heedful.images.sampling import Sampling
from heedful.prompts import Prompt


def maps_of_image(
    pipe: ImagePipeline,
    image: Image.Image,
    prompt: str,
    concepts: Sequence[str] | None = None,
    *,
    steps: int = 20,
    guidance_scale: float = 1.0,
    seed: int = 0,
) -> MapHistory:
    """Return where a denoiser looks for the concepts of `prompt` in an image that is there.

        maps = maps_of_image(pipe, photo, "a cat and a dog")
        maps["cat"]                                 # (1, step, height, width), the noisiest step first

    - `pipe`: any pipeline that diffusers has an inpainting class for; it stays as it is.
    - `image`: is scaled to the size of the model's own images.
    - `prompt`: words that a prompt lacked are looked for by adding them: "a cat and a dog and a sofa", ["sofa"].
    - `steps`: levels of noise, from pure noise on.
    - `guidance_scale`: above 1, the model also predicts without the prompt, which decides nothing here.
    - `seed`: of the noise that is added.

    Raises `UnsupportedPipeline`, and what `heedful.guide` raises.
    """
    inpaints = inpainting_pipe(pipe)
    kept = keeping_all(image)
    width, height = kept.size_on(inpaints)
    sampling = Sampling(steps=steps, guidance_scale=guidance_scale, width=width, height=height, inpainting=kept)
    read = parse_prompt(inpaints, prompt, concepts)
    with guide(inpaints, read, NONE) as guided:
        sample(inpaints, sampling, [read.text], [seed])
    return guided.maps


def with_words(prompt: Prompt, words: Sequence[str]) -> PromptLine:
    """Return `prompt` with further words at its end, which are its concepts.

    Raises `SettingsError` for a word that the prompt has.
    """
    there = [word for word in words if word in prompt.words()]
    if there:
        raise SettingsError(
            f"Expected words that are not in {prompt.text!r}, got {there[0]!r}. Name it as a concept instead."
        )
    nouns = tuple(re.sub(r"^(an?|the)\s+", "", word, flags=re.IGNORECASE) for word in words)
    return PromptLine(" and ".join([prompt.text, *words]), concepts=nouns)
