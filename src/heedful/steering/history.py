"""The maps of a run: what each image looked at, step by step. The tokens of the text are kept, not the padding."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from heedful.attention import Maps, overlay
from heedful.errors import ConceptNotFound, SettingsError
from heedful.prompts import Prompt
from heedful.shapes import ConceptMaps
from heedful.steering.notebook import View, slider
from heedful.steering.view_data import view_data


class MapHistory:
    """The maps of the conditional half of the denoiser, at every step so far, after that step's update.

    `history["cat"]` is (batch, step, height, width): a concept by its name or noun, or else a token as it stands in the
    prompt. In [0, 1]; NaN for images whose prompt has no such thing.
    """

    def __init__(self, prompts: Sequence[Prompt]):
        self.prompts = tuple(prompts)
        """One per image."""
        self._steps: list[Maps] = []
        self._length = max(prompt.reach for prompt in prompts)

    def append(self, maps: Maps) -> None:
        """Add the maps of one more step."""
        kept = replace(maps, tokens=maps.tokens[:, : self._length])
        self._steps.append(kept.detach().clone())

    def put(self, item: int, other: "MapHistory", index: int) -> None:
        """Replace what one image looked at by what image `index` of `other`, of the same prompt, looked at."""
        end = self.prompts[item].reach
        for mine, theirs in zip(self._steps, other._steps, strict=True):
            mine.tokens[item, :end] = theirs.tokens[index, :end]
            if mine.self_attention is not None and theirs.self_attention is not None:
                mine.self_attention[item] = theirs.self_attention[index]

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def tokens(self) -> Float[Tensor, "batch step token height width"]:
        """Every token up to the last one that a prompt has; padding beyond it is cut off."""
        return torch.stack([maps.tokens for maps in self._steps], dim=1)

    def at(self, step: int) -> Maps:
        """Return the maps of one step; padding is cut off, so they sum to less than 1."""
        return self._steps[step]

    def concepts(self, step: int) -> list[ConceptMaps]:
        """Return, for each image, the maps of its concepts at one step."""
        return self._steps[step].concepts(self.prompts)

    @property
    def names(self) -> tuple[str, ...]:
        """The concepts of all prompts, each once."""
        return tuple(dict.fromkeys(concept.name for prompt in self.prompts for concept in prompt.concepts))

    def __getitem__(self, name: str) -> Float[Tensor, "batch step height width"]:
        """Return the maps of a concept or token; raises `ConceptNotFound` if no prompt has it."""
        indices = [_indices(prompt, name) for prompt in self.prompts]
        if not any(indices):
            tokens = dict.fromkeys(token for prompt in self.prompts for token in prompt.tokens[1:-1])
            raise ConceptNotFound(
                f"Expected a concept or a token of the prompts, got {name!r}. "
                f"Concepts: {', '.join(self.names) or 'none'}. Tokens: {', '.join(tokens)}."
            )
        tokens = self.tokens
        maps = [
            tokens[item, :, list(found)].mean(1) if found else torch.full_like(tokens[item, :, 0], torch.nan)
            for item, found in enumerate(indices)
        ]
        return torch.stack(maps)

    def overlay(
        self, name: str, image: Image.Image, *, item: int = 0, step: int | None = None, opacity: float = 0.6
    ) -> Image.Image:
        """Return `image` with the map of a concept or token laid over it.

        - `item` says which image of the batch it is.
        - `step` chooses one step; by default, the mean over all steps is shown.
        - `opacity` of the map is in [0, 1].

        Raises `ConceptNotFound`, or `SettingsError` for an item or a step that is not there.
        """
        maps = self[name]  # -> (batch, step, height, width)
        if not 0 <= item < len(maps) or not (step is None or -len(self) <= step < len(self)):
            raise SettingsError(
                f"Expected one of {len(maps)} images and of {len(self)} steps, counted from 0, got image {item} and "
                f"step {step}."
            )
        values = maps[item].mean(0) if step is None else maps[item, step]
        if values.isnan().all():
            raise ConceptNotFound(
                f"Expected a concept or a token of {self.prompts[item].text!r}, got {name!r}. Pass item=..., the "
                "number of an image whose prompt has it."
            )
        return overlay(image, values, opacity=opacity)

    def show(self, images: Sequence[Image.Image] | int = 4) -> View:
        """Return a slider over the steps for a notebook: where each concept and each word looks, without a server.

        `images` are those of the run, and the maps lie over them; or how many of them are shown without, from the
        first on. Raises `SettingsError` for more images than the run has made.
        """
        given: Sequence[Image.Image | None] = [None] * images if isinstance(images, int) else images
        given = given[: len(self.prompts)] if isinstance(images, int) else given
        if len(given) > len(self.prompts):
            raise SettingsError(
                f"Expected the images of this run, which has made {len(self.prompts)}, got {len(given)}. Pass "
                "those of the latest call of the pipeline."
            )
        tokens = self.tokens if len(self) else None
        chosen = list(zip(self.prompts, given, strict=False)) if tokens is not None else []
        return View(
            slider(
                [
                    (f"image {item}: {prompt.text}", view_data(prompt, tokens[item], image=image))
                    for item, (prompt, image) in enumerate(chosen)
                    if tokens is not None
                ]
            )
        )

    def _repr_html_(self) -> str:
        return self.show().html

    def __repr__(self) -> str:
        return f"MapHistory of {len(self.prompts)} images, {len(self)} steps: {', '.join(self.names)}"


def _indices(prompt: Prompt, name: str) -> tuple[int, ...]:
    """Return the tokens that `name` stands for in `prompt`; empty if it has no such thing."""
    for concept in prompt.concepts:
        if name == concept.name:
            return concept.token_indices
    for concept in prompt.concepts:
        if name == concept.noun:
            return concept.token_indices
    return tuple(index for index, token in enumerate(prompt.tokens) if token == name)[:1]
