"""What is needed of a pipeline of diffusers that generates images, and of one that is taught or takes LoRAs.

What is needed of one that is only guided is `layout.Pipeline`.
"""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch

from heedful.attention.layout import Pipeline


@runtime_checkable
class ImagePipeline(Pipeline, Protocol):
    """A pipeline that generates images of prompts when it is called; its denoiser is found by `find_denoiser`."""

    @property
    def scheduler(self) -> Any:
        """The scheduler of its steps, with its config."""
        ...

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of its first text encoder."""
        ...

    @property
    def vae(self) -> Any:
        """The autoencoder of its latents."""
        ...

    @property
    def device(self) -> torch.device:
        """Where its parts are."""
        ...

    @property
    def set_progress_bar_config(self) -> Callable[..., Any]:
        """Changes its progress bar."""
        ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Generate images."""
        ...


@runtime_checkable
class AdaptablePipeline(ImagePipeline, Protocol):
    """A pipeline that takes LoRAs."""

    @property
    def load_lora_weights(self) -> Callable[..., Any]:
        """Loads a LoRA under a name."""
        ...

    @property
    def set_adapters(self) -> Callable[..., Any]:
        """Chooses LoRAs by name, with their weights."""
        ...

    @property
    def get_list_adapters(self) -> Callable[..., dict[str, list[str]]]:
        """Returns the names of its LoRAs, by part."""
        ...


@runtime_checkable
class TeachablePipeline(AdaptablePipeline, Protocol):
    """A pipeline whose words and denoiser can learn."""

    @property
    def text_encoder(self) -> Any:
        """Its first text encoder."""
        ...

    @property
    def vae_scale_factor(self) -> int:
        """Pixels per cell of the latents, along a side."""
        ...

    @property
    def encode_prompt(self) -> Callable[..., Any]:
        """Returns embeddings of prompts."""
        ...
