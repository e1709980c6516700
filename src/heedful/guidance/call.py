"""One call that a pipeline makes to its denoiser: which of its rows are the images, and how to change them.

How many rows a call has for each image is a fact of the pipeline (`batching`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from heedful.attention import Forward, Layout, Maps, Size, by_position
from heedful.shapes import Latents


@dataclass(frozen=True, eq=False)
class Call:
    """The arguments of one call, and the copies that they hold of each image."""

    layout: Layout
    arguments: dict[str, Any]
    copies: int
    """2 under classifier-free guidance, 3 where image and text are guided apart, else 1."""
    channels: int
    """Channels of the latents; an inpainting denoiser's input has more after them."""
    condition: int = -1
    """Which of the copies has the whole condition: the last one, in most pipelines."""
    positional: int = 0
    """How many of the arguments the pipeline passed by position: the first ones."""

    def through(self, forward: Forward) -> Forward:
        """Return `forward` for arguments by name, which passes on by position what the pipeline passed so."""
        return by_position(forward, self.positional)

    @property
    def batch(self) -> int:
        """Rows of the denoiser's input."""
        return self._input.shape[0]

    @property
    def images(self) -> int:
        """Images that are being made."""
        return self.batch // self.copies

    @property
    def size(self) -> Size:
        """Height and width of the latents in cells."""
        return self.layout.latents_size(self.arguments)

    @property
    def latents(self) -> Latents:
        """The latents of the images as the denoiser sees them, in float32 or wider."""
        latents = self._whole[self.conditional_rows, : self.channels].detach()
        return latents.to(torch.promote_types(latents.dtype, torch.float32))

    @property
    def timestep(self) -> float:
        """The scheduler's timestep, which pipelines pass as a number, a scalar or one for each row."""
        passed = self.arguments["timestep"]
        return self.layout.times * (float(passed.flatten()[0]) if isinstance(passed, Tensor) else float(passed))

    @property
    def dtype_and_device(self) -> Tensor:
        """An empty tensor like the denoiser's input, for `Tensor.to`."""
        return self._input.new_empty(0)

    def conditional(self, items: Sequence[int], latents: Latents) -> dict[str, Any]:
        """Return the arguments of a call for the conditional rows of `items` only, at other `latents`."""
        own = self.conditional_rows
        rows = [own[item] for item in items]
        taken = {name: _take(value, rows, self.batch) for name, value in self.arguments.items()}
        return taken | {self.layout.latents: self._with_latents(self._whole[rows], latents)}

    def unconditional(self) -> dict[str, Any] | None:
        """Return the arguments of a call for all rows but the conditional ones; None if there are no others."""
        own = set(self.conditional_rows)
        rows = [row for row in range(self.batch) if row not in own]
        return {name: _take(value, rows, self.batch) for name, value in self.arguments.items()} if rows else None

    def whole(self, conditional: Any, others: Any) -> Any:
        """Return the output for all rows, from those of the conditional and of all `others`."""
        if others is None:
            return conditional
        first = self.conditional_rows[0]
        return joined(part(others, slice(0, first)), conditional, part(others, slice(first, None)))

    def again(self, items: Sequence[int], latents: Latents, timestep: Any) -> "Call":
        """Return a call for the conditional rows of `items` only, at other `latents` and another `timestep`."""
        whole = replace(self, arguments=self.arguments | {"timestep": timestep})
        return replace(self, arguments=whole.conditional(items, latents), copies=1, condition=-1)

    def moved(self, delta: Latents) -> "Call":
        """Return the call with `delta` added to the latents of each image, in each of its copies."""
        repeated = delta.repeat(self.batch // delta.shape[0], 1, 1, 1)
        whole = self._whole
        moved = whole[:, : self.channels].to(delta.dtype) + repeated
        return replace(self, arguments=self.arguments | {self.layout.latents: self._with_latents(whole, moved)})

    def conditional_maps(self, maps: Maps) -> Maps:
        """Return the maps of the conditional rows, without graph; with self-attention where it was read."""
        return maps.select(self.conditional_rows).detach()

    @property
    def conditional_rows(self) -> list[int]:
        """The rows that have the whole condition, one per image."""
        first = self.condition % self.copies * self.images
        return list(range(first, first + self.images))

    @property
    def _input(self) -> Tensor:
        return self.arguments[self.layout.latents]

    @property
    def _whole(self) -> Latents:
        """The denoiser's input as (batch, channel, height, width)."""
        return self.layout.unpack(self._input, self.size)

    def _with_latents(self, whole: Tensor, latents: Tensor) -> Tensor:
        """Return the denoiser's input `whole` with its first channels replaced, as the denoiser takes it."""
        latents = latents.to(whole.dtype)
        rest = whole[:, self.channels :]
        return self.layout.pack(torch.cat([latents, rest], dim=1) if rest.shape[1] else latents)


def prediction(output: Any) -> Tensor:
    """Return what a denoiser predicted, whether it returned a tuple or an output object."""
    return output[0] if isinstance(output, tuple) else output.sample


def part(output: Any, rows: slice) -> Any:
    """Return a denoiser's output for some of its rows, in the form that it has."""
    return _like(output, prediction(output)[rows])


def joined(*outputs: Any) -> Any:
    """Return a denoiser's output for the rows of several of its outputs, in the form that they have."""
    return _like(outputs[0], torch.cat([prediction(output) for output in outputs]))


def _like(output: Any, predicted: Tensor) -> Any:
    return (predicted,) if isinstance(output, tuple) else type(output)(sample=predicted)


def _take(value: Any, rows: list[int], batch: int) -> Any:
    """Return `value` with `rows` of every tensor in it that has `batch` rows."""
    if isinstance(value, Tensor):
        return value[rows] if value.ndim > 0 and value.shape[0] == batch else value
    if isinstance(value, dict):
        return {key: _take(inner, rows, batch) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_take(inner, rows, batch) for inner in value)
    return value
