"""One call that a pipeline makes to its denoiser: which of its rows are the images, and how to change them.

How many rows a call has for each image is a fact of the pipeline (`batching`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from heedful.attention import Forward, Layout, Maps, Size, by_position
from heedful.prompts import Prompt
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
    is_joined: bool = False
    """Whether rows of one kind cannot run without the others, as with perturbed attention (`batching.is_joined`)."""

    def through(self, forward: Forward) -> Forward:
        """Return `forward` for arguments by name, which passes on by position what the pipeline passed so."""
        return by_position(forward, self.positional)

    @property
    def batch(self) -> int:
        """Rows of the denoiser's input."""
        return self.layout.rows(self.arguments)

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
    def frames(self) -> int:
        """How many frames each image has; 1 unless it is a video."""
        return self.layout.frames(self.arguments)

    @property
    def time(self) -> Any:
        """The time as the pipeline tells the denoiser."""
        return self.arguments[self.layout.time]

    @property
    def timestep(self) -> float:
        """The scheduler's timestep, which pipelines pass as a number, a scalar or one for each row."""
        return self.layout.timestep(self.arguments)

    @property
    def dtype_and_device(self) -> Tensor:
        """An empty tensor like the denoiser's input, for `Tensor.to`."""
        return self._input[0].new_empty(0)

    def conditional(self, items: Sequence[int], latents: Latents) -> dict[str, Any]:
        """Return the arguments of a call for the conditional rows of `items` only, at other `latents`."""
        own = self.conditional_rows
        rows = [own[item] for item in items]
        taken = self._rows(rows)
        return taken | {self.layout.latents: self._with_latents(taken[self.layout.latents], latents)}

    def unconditional(self) -> dict[str, Any] | None:
        """Return the arguments of a call for all rows but the conditional ones; None if there are no others."""
        return self._rows(self.other_rows) if self.other_rows else None

    def predict_others(self, forward: Forward) -> Any:
        """Return the output of `forward` for all rows but the conditional ones; None if there are no others."""
        others = self.unconditional()
        if others is None:
            return None
        if self.is_joined:
            output = forward(**self.arguments)
            return like(output, prediction(output)[self.other_rows])
        return forward(**others)

    def whole(self, conditional: Any, others: Any) -> Any:
        """Return the output for all rows, from those of the conditional and of all `others`."""
        if others is None:
            return conditional
        first = self.conditional_rows[0]
        return joined(part(others, slice(0, first)), conditional, part(others, slice(first, None)))

    def again(self, items: Sequence[int], latents: Latents, timestep: Any) -> "Call":
        """Return a call for the conditional rows of `items` only, at other `latents` and another `timestep`."""
        whole = replace(self, arguments=self.arguments | {self.layout.time: timestep})
        return replace(self, arguments=whole.conditional(items, latents), copies=1, condition=-1)

    def moved(self, delta: Latents) -> "Call":
        """Return the call with `delta` added to the latents of each image, in each of its copies."""
        repeated = delta.repeat(self.batch // delta.shape[0], 1, 1, 1)
        moved = self._whole[:, : self.channels].to(delta.dtype) + repeated
        return replace(self, arguments=self.arguments | {self.layout.latents: self._with_latents(self._input, moved)})

    def conditional_maps(self, maps: Maps) -> Maps:
        """Return the maps of the conditional rows, without graph; with self-attention where it was read."""
        return maps.select(self.conditional_rows).detach()

    def placed(self, prompts: Sequence[Prompt]) -> list[Prompt]:
        """Return the prompt of each image with its tokens where they stand in the text of this call."""
        rows = self.conditional_rows
        return [self.layout.placed(prompt, self.arguments, row) for prompt, row in zip(prompts, rows, strict=True)]

    def for_scheduler(self, latents: Latents) -> Tensor:
        """Return latents in the form in which the scheduler has them."""
        return self.layout.grid.for_scheduler(latents, self._input)

    def from_scheduler(self, latents: Tensor) -> Latents:
        """Return latents that the scheduler has: the reverse of `for_scheduler`."""
        return self.layout.grid.from_scheduler(latents, self.size)

    def predicted(self, output: Any) -> Tensor:
        """Return what the scheduler gets of a denoiser's output."""
        return self.layout.grid.predicted(prediction(output), self.channels, self.size, self.layout.sign)

    @property
    def conditional_rows(self) -> list[int]:
        """The rows that have the whole condition, one per image."""
        first = self.condition % self.copies * self.images
        return list(range(first, first + self.images))

    @property
    def other_rows(self) -> list[int]:
        """All rows but these."""
        own = set(self.conditional_rows)
        return [row for row in range(self.batch) if row not in own]

    @property
    def _input(self) -> Any:
        return self.arguments[self.layout.latents]

    @property
    def _whole(self) -> Latents:
        """The denoiser's input as (batch, channel, height, width), without the cells of other images."""
        return self.layout.grid.unpack(self._input, self.size)

    def _rows(self, rows: list[int]) -> dict[str, Any]:
        """Return the arguments of a call for some rows alone."""
        lists = self.layout.row_lists
        taken = {
            name: [value[row] for row in rows]
            if name in lists and value is not None and len(value) == self.batch
            else _take(value, rows, self.batch)
            for name, value in self.arguments.items()
        }
        if self.layout.residuals_have_text:  # without the padding that the longest text of the others asked for
            cut = self.layout.text_length(self.arguments) - self.layout.text_length(taken)
            taken |= {name: _without_end(taken[name], cut) for name in self.layout.residuals if name in taken}
        return taken

    def _with_latents(self, given: Any, latents: Latents) -> Any:
        """Return a denoiser's input `given` with other latents in it."""
        return self.layout.grid.put(given, latents.to(self.dtype_and_device))


def prediction(output: Any) -> Any:
    """Return what a denoiser predicted, whether it returned a tuple or an output object: a tensor, or one per row."""
    return output[0] if isinstance(output, tuple) else output.sample


def part(output: Any, rows: slice) -> Any:
    """Return a denoiser's output for some of its rows, in the form that it has."""
    return like(output, prediction(output)[rows])


def joined(*outputs: Any) -> Any:
    """Return a denoiser's output for the rows of several of its outputs, in the form that they have."""
    parts = [prediction(output) for output in outputs]
    is_listed = isinstance(parts[0], list)
    return like(outputs[0], [row for one in parts for row in one] if is_listed else torch.cat(parts))


def like(output: Any, predicted: Any) -> Any:
    """Return a prediction in the form that a denoiser's output has."""
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


def _without_end(value: Any, count: int) -> Any:
    """Return `value` without the last `count` positions of every (batch, position, width) in it."""
    if isinstance(value, dict):
        return {key: _without_end(inner, count) for key, inner in value.items()}
    return value[:, : value.shape[1] - count] if isinstance(value, Tensor) else value
