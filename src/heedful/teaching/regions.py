"""Where the model itself sees each concept's class in an image, and the image shown once per concept, masked so."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from heedful.attention import (
    Maps,
    MaskRule,
    Segment,
    SiteSelection,
    TeachablePipeline,
    by_words,
    capture,
    find_denoiser,
    find_sites,
)
from heedful.teaching.concepts import NewConcept, class_prompt
from heedful.teaching.dataset import Size, TrainingImages, crop, pixels_of
from heedful.teaching.denoiser_inputs import encode_captions, encode_images
from heedful.teaching.families import family_of
from heedful.teaching.noise import noise_of
from heedful.teaching.reading import learnt_of, reader_of

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


def find_regions(
    pipe: TeachablePipeline,
    image: Image.Image,
    text: str,
    concepts: Sequence[NewConcept],
    sites: SiteSelection,
    seed: int,
) -> list[Segment]:
    """Return where the model, as it is, sees each concept's class in an image: the maps of the image under noise.

    `text` is the prompt with placeholders; what is asked for is the prompt without. Self-attention is followed where
    the `sites` have one next to them and are of one map size.
    The rule is `MaskRule`, which also finds the masks of generated images; nothing is labelled, and no other model is
    asked.
    """
    return see(pipe, image, class_prompt(text), [concept.noun for concept in concepts], sites, seed)


@torch.no_grad()
def see(
    pipe: TeachablePipeline, image: Image.Image, text: str, nouns: Sequence[str], sites: SiteSelection, seed: int
) -> list[Segment]:
    """Return where the model, as it is, sees the things of these nouns in an image that a plain text describes."""
    prompt = reader_of(pipe, nouns)(text)
    denoiser: Any = find_denoiser(pipe)
    cells = (image.height // pipe.vae_scale_factor, image.width // pipe.vae_scale_factor)
    chosen = sites.choose(find_sites(denoiser), cells)
    has_own = all(site.self_attention is not None for site in chosen) and len({site.scale for site in chosen}) == 1
    steps = _maps_under_noise(pipe, image, text, sites, seed, self_attention=has_own)
    return MaskRule().segments(steps, prompt, image)


@torch.no_grad()
def concept_maps(
    pipe: TeachablePipeline,
    image: Image.Image,
    caption: str,
    concepts: Sequence[NewConcept],
    sites: SiteSelection,
    seed: int = 0,
) -> dict[str, Float[Tensor, "height width"]]:
    """Return where `pipe`, as it is by then, looks in an image for each concept of its caption: the mean over noises.

    By the concept's name in the caption, "<cat1> cat"; it must know the words.
    """
    prompt = learnt_of(reader_of(pipe)(caption), concepts)
    steps = _maps_under_noise(pipe, image, caption, sites, seed)
    mean = torch.stack([maps.tokens[0].float().cpu() for maps in steps]).mean(0)
    return {concept.name: mean[list(concept.token_indices)].mean(0) for concept in prompt.concepts}


def _maps_under_noise(
    pipe: TeachablePipeline,
    image: Image.Image,
    caption: str,
    sites: SiteSelection,
    seed: int,
    *,
    self_attention: bool = False,
) -> list[Maps]:
    """Return what the denoiser looks at in an image under each of `NOISES`; where words look, if that can be read."""
    denoiser: Any = find_denoiser(pipe)
    family = family_of(denoiser)
    noise_process = noise_of(pipe, family.noise)
    generator = torch.Generator("cpu").manual_seed(seed)
    latents = encode_images(pipe, pixels_of(image)[None], generator)
    text = encode_captions(pipe, [caption], (image.height, image.width))
    steps: list[Maps] = []
    with capture(denoiser, by_words(denoiser, sites), stop_after_last=True, self_attention=self_attention) as record:
        for share in NOISES:
            time = noise_process.at(share).to(latents.device)
            noise = torch.randn(latents.shape, generator=generator).to(latents)
            denoiser(**family.arguments(denoiser, noise_process.add(latents, noise, time), time, text))
            steps.append(record.maps())
    return steps
