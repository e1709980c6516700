"""One picture of several concepts as pictures of each alone: where the model itself sees the class, the loss counts.

Knows how a denoiser is asked where things are in a picture that it did not paint. Knows no training.
"""

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import DDPMScheduler
from PIL import Image

from heedful.attention import Maps, MaskRule, Segment, SiteSelection, capture, find_denoiser
from heedful.prompts import Prompt
from heedful.teaching.encoding import encode_captions, encode_pictures
from heedful.teaching.examples import Pictures, pixels_of, square
from heedful.teaching.instance_prompt import NewConcept, class_prompt

NOISES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""At which shares of the noise schedule the picture is looked at."""


def each_alone(
    pipe: Any,
    picture: Image.Image,
    text: str,
    concepts: Sequence[NewConcept],
    resolution: tuple[int, int],
    sites: SiteSelection,
    seed: int,
) -> Pictures | None:
    """Return the picture once for each concept, with the caption "a <cat1> cat" and a mask of where the model sees it.

    Concepts that the model sees nowhere are left out; None if that is all of them.
    """
    cropped = Image.fromarray(square(picture, resolution))
    found = [
        (concept, segment)
        for concept, segment in zip(concepts, find_regions(pipe, cropped, text, concepts, sites, seed), strict=True)
        if segment.mask.any()
    ]
    if not found:
        return None
    return Pictures(
        (cropped,) * len(found),
        tuple(f"a {concept.placeholder} {concept.noun}" for concept, _ in found),
        tuple(Image.fromarray(segment.mask) for _, segment in found),
    )


@torch.no_grad()
def find_regions(
    pipe: Any, picture: Image.Image, text: str, concepts: Sequence[NewConcept], sites: SiteSelection, seed: int
) -> list[Segment]:
    """Return where the model, as it is, sees each concept's class in a picture: the maps of the picture under noise.

    `text` is the prompt with placeholders; what is asked for is the prompt without. `sites` must be of one map size.
    The rule is that of the masks of generated images; nothing is labelled, and no other model is asked.
    """
    plain = class_prompt(text)
    nouns = [concept.noun for concept in concepts]
    prompt = Prompt.parse(plain, pipe.tokenizer, nouns)
    denoiser: Any = find_denoiser(pipe)
    noise_scheduler: Any = DDPMScheduler.from_config(pipe.scheduler.config)
    generator = torch.Generator("cpu").manual_seed(seed)
    size = (picture.height, picture.width)
    latents = encode_pictures(pipe, pixels_of(picture)[None], generator)
    arguments = encode_captions(pipe, [plain], size)
    steps: list[Maps] = []
    with capture(denoiser, sites, stop_after_last=True, self_attention=True) as record:
        for share in NOISES:
            time = torch.tensor([int(share * noise_scheduler.config["num_train_timesteps"])], device=latents.device)
            noise = torch.randn(latents.shape, generator=generator).to(latents)
            noisy = noise_scheduler.add_noise(latents, noise, time)
            denoiser(noisy.to(denoiser.dtype), time, **arguments)
            steps.append(record.maps())
    return MaskRule().segments(steps, prompt, picture)
