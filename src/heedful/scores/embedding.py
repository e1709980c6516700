"""Images and texts as unit vectors of a CLIP: the world's own, or one by hub id or folder.

Vectors of texts are kept, because a prompt has many images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPProcessor, CLIPTokenizer

from heedful import world
from heedful.models import find_device
from heedful.scores.hub import load_network, load_processor

_KEPT_TEXTS = 4096


@dataclass(frozen=True, eq=False)
class Embedder:
    """A loaded CLIP; make one with `load_embedder`."""

    model: Any
    processor: Any

    def images(self, images: Sequence[Image.Image]) -> Float[Tensor, "image width"]:
        """Return the unit vector of each image."""
        if not images:
            return torch.zeros(0, self.model.config.projection_dim)
        return embed_images(self.model, self.processor, [image.convert("RGB") for image in images])

    def text(self, sentences: tuple[str, ...]) -> Float[Tensor, "width"]:
        """Return the unit vector of the mean of the unit vectors of several ways to say one thing."""
        return _text(self, sentences)


def load_embedder(model: str | None, device: str) -> Embedder:
    """Load the CLIP of this hub id or folder, once; None is the embedded world's. Raises what `load_network` raises."""
    return _load(model, find_device(device))


def cosine(one: Float[Tensor, "width"], other: Float[Tensor, "width"]) -> float:
    """Return the cosine of two unit vectors, in [-1, 1]."""
    return float((one.double() @ other.double()).clamp(-1, 1))


@cache
def _load(model: str | None, device: str) -> Embedder:
    if model is None:
        network, processor = world.load_clip()
        return Embedder(network.to(device), processor)  # pyright: ignore[reportArgumentType] of a decorated method
    return Embedder(
        load_network(CLIPModel, model, device),
        CLIPProcessor(
            image_processor=load_processor(CLIPImageProcessorPil, model), tokenizer=load_processor(CLIPTokenizer, model)
        ),
    )


@lru_cache(maxsize=_KEPT_TEXTS)
def _text(embedder: Embedder, sentences: tuple[str, ...]) -> Tensor:
    return normalize(embed_texts(embedder.model, embedder.processor, sentences).mean(0), dim=0)


@torch.no_grad()
def embed_images(model: Any, processor: Any, images: Sequence[Image.Image]) -> Tensor:
    """Return unit embeddings (image, width)."""
    inputs = processor(images=list(images), return_tensors="pt")
    return _unit(model.get_image_features(pixel_values=inputs.pixel_values.to(model.device)))


@torch.no_grad()
def embed_texts(model: Any, processor: Any, texts: Sequence[str]) -> Tensor:
    """Return unit embeddings (text, width)."""
    inputs = processor(text=list(texts), padding="max_length", truncation=True, return_tensors="pt")
    return _unit(model.get_text_features(input_ids=inputs.input_ids.to(model.device)))


def _unit(features: Any) -> Tensor:
    # transformers 5 wraps the projected features, older ones do not
    return normalize(getattr(features, "pooler_output", features).float().cpu(), dim=-1)
