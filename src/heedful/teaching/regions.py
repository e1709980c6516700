"""Where the model itself sees each concept's class in an image, and the image shown once per concept, masked so."""

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import DDPMScheduler
from PIL import Image

from heedful.attention import Maps, MaskRule, Segment, SiteSelection, TeachablePipeline, capture, find_denoiser
from heedful.prompts import Prompt
from heedful.teaching.concepts import NewConcept, class_prompt
from heedful.teaching.dataset import Size, TrainingImages, crop, pixels_of
from heedful.teaching.denoiser_inputs import encode_captions, encode_images

NOISES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""Shares of the noise schedule at which the image is looked at."""


def each_alone(
    pipe: TeachablePipeline,
    image: Image.Image,
    text: str,
    concepts: Sequence[NewConcept],
    size: Size,
    sites: SiteSelection,
    seed: int,
) -> TrainingImages | None:
    """Return the image once for each concept, with the caption "a <cat1> cat" and a mask of where the model sees it.

    Concepts that the model sees nowhere are skipped; None if that is all of them.
    """
    cropped = Image.fromarray(crop(image, size))
    found = [
        (concept, segment)
        for concept, segment in zip(concepts, find_regions(pipe, cropped, text, concepts, sites, seed), strict=True)
        if segment.mask.any()
    ]
    if not found:
        return None
    return TrainingImages(
        (cropped,) * len(found),
        tuple(f"a {concept.placeholder} {concept.noun}" for concept, _ in found),
        tuple(Image.fromarray(segment.mask) for _, segment in found),
    )


@torch.no_grad()
def find_regions(
    pipe: TeachablePipeline,
    image: Image.Image,
    text: str,
    concepts: Sequence[NewConcept],
    sites: SiteSelection,
    seed: int,
) -> list[Segment]:
    """Return where the model, as it is, sees each concept's class in an image: the maps of the image under noise.

    `text` is the prompt with placeholders; what is asked for is the prompt without. `sites` must be of one map size.
    The rule is `MaskRule`, which also finds the masks of generated images; nothing is labelled, and no other model is
    asked.
    """
    plain = class_prompt(text)
    nouns = [concept.noun for concept in concepts]
    prompt = Prompt.parse(plain, pipe.tokenizer, nouns)
    denoiser: Any = find_denoiser(pipe)
    noise_scheduler: Any = DDPMScheduler.from_config(pipe.scheduler.config)
    generator = torch.Generator("cpu").manual_seed(seed)
    size = (image.height, image.width)
    latents = encode_images(pipe, pixels_of(image)[None], generator)
    arguments = encode_captions(pipe, [plain], size)
    steps: list[Maps] = []
    with capture(denoiser, sites, stop_after_last=True, self_attention=True) as record:
        for share in NOISES:
            time = torch.tensor([int(share * noise_scheduler.config["num_train_timesteps"])], device=latents.device)
            noise = torch.randn(latents.shape, generator=generator).to(latents)
            noisy = noise_scheduler.add_noise(latents, noise, time)
            denoiser(noisy.to(denoiser.dtype), time, **arguments)
            steps.append(record.maps())
    return MaskRule().segments(steps, prompt, image)
