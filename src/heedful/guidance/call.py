"""One call that a pipeline makes to its denoiser: which of its rows are the images, and how to change them.

Knows batches: classifier-free guidance doubles them, unconditional rows first. Knows nothing of losses or schedulers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from heedful.attention import Layout, Maps
from heedful.errors import SettingsError
from heedful.shapes import Latents


@dataclass(frozen=True, eq=False)
class Call:
    """The arguments of one call, and the copies that they hold of each image."""

    layout: Layout
    arguments: dict[str, Any]
    copies: int
    """2 under classifier-free guidance (the condition comes last), else 1."""
    channels: int
    """Channels of the latents; an inpainting denoiser's input has more after them."""

    @property
    def batch(self) -> int:
        """Rows of the denoiser's input."""
        return self._input.shape[0]

    @property
    def images(self) -> int:
        """Images that are being made."""
        return self.batch // self.copies

    @property
    def latents(self) -> Latents:
        """The latents of the images as the denoiser sees them, in float32 or wider."""
        latents = self._input[-self.images :, : self.channels].detach()
        return latents.to(torch.promote_types(latents.dtype, torch.float32))

    @property
    def dtype_and_device(self) -> Tensor:
        """An empty tensor of the denoiser's input's kind, for `Tensor.to`."""
        return self._input.new_empty(0)

    def conditional(self, items: Sequence[int], latents: Latents) -> dict[str, Any]:
        """Return the arguments of a call for the conditional rows of `items` only, at other `latents`."""
        rows = [self.batch - self.images + item for item in items]
        taken = {name: _take(value, rows, self.batch) for name, value in self.arguments.items()}
        return taken | {self.layout.latents: self._with_latents(taken[self.layout.latents], latents)}

    def unconditional(self) -> dict[str, Any] | None:
        """Return the arguments of a call for all rows but the conditional ones; None if there are no others."""
        rows = list(range(self.batch - self.images))
        return {name: _take(value, rows, self.batch) for name, value in self.arguments.items()} if rows else None

    def again(self, items: Sequence[int], latents: Latents, timestep: Any) -> "Call":
        """Return a call for the conditional rows of `items` only, at other `latents` and another `timestep`."""
        whole = replace(self, arguments=self.arguments | {"timestep": timestep})
        return replace(self, arguments=whole.conditional(items, latents), copies=1)

    def moved(self, delta: Latents) -> "Call":
        """Return the call with `delta` added to the latents of each image, in each of its copies."""
        repeated = delta.repeat(self.batch // delta.shape[0], 1, 1, 1)
        moved = self._input[:, : self.channels].to(delta.dtype) + repeated
        return replace(self, arguments=self.arguments | {self.layout.latents: self._with_latents(self._input, moved)})

    def conditional_maps(self, maps: Maps) -> Maps:
        """Return the maps of the conditional rows, without graph; with self-attention where it was read."""
        return maps.select(range(len(maps) - self.images, len(maps))).detach()

    @property
    def _input(self) -> Tensor:
        return self.arguments[self.layout.latents]

    def _with_latents(self, whole: Tensor, latents: Tensor) -> Tensor:
        """Return the denoiser's input with its first channels replaced."""
        latents = latents.to(whole.dtype)
        rest = whole[:, self.channels :]
        return torch.cat([latents, rest], dim=1) if rest.shape[1] else latents


def copies_in(batch: int, prompts: int, pipe: Any) -> int:
    """Return how many rows the pipeline's call has for each image; raises `SettingsError` if prompts and rows disagree.

    The pipeline knows whether it doubles its batch; the number of rows alone does not tell two images from one image
    under classifier-free guidance.
    """
    copies = 2 if getattr(pipe, "do_classifier_free_guidance", False) else 1
    if batch % (copies * prompts) != 0:
        raise SettingsError(
            f"Expected the prompts that were given to heedful.guide ({prompts}) in the pipeline's call, got "
            f"{batch // copies} images, which is no multiple. Give both the same prompts, in the same order."
        )
    return copies


def prediction(output: Any) -> Tensor:
    """Return what a denoiser predicted, whether it returned a tuple or an output object."""
    return output[0] if isinstance(output, tuple) else output.sample


def joined(*outputs: Any) -> Any:
    """Return a denoiser's output for the rows of several of its outputs, in the form that they have."""
    whole = torch.cat([prediction(output) for output in outputs])
    return (whole,) if isinstance(outputs[0], tuple) else type(outputs[0])(sample=whole)


def _take(value: Any, rows: list[int], batch: int) -> Any:
    """Return `value` with `rows` of every tensor in it that has `batch` rows."""
    if isinstance(value, Tensor):
        return value[rows] if value.ndim > 0 and value.shape[0] == batch else value
    if isinstance(value, dict):
        return {key: _take(inner, rows, batch) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_take(inner, rows, batch) for inner in value)
    return value
