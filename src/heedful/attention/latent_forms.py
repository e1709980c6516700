"""The forms in which denoisers take latents, and how each becomes (batch, channel, height, width)."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from heedful.attention.sites import Size
from heedful.shapes import Latents

LatentForm = Literal["grid", "packed", "listed", "frames"]
"""- "grid": (batch, channel, height, width).
- "packed": (batch, cell, channel); cells of other images may stand after those of the image that is made.
- "listed": a list with (channel, 1, height, width) for each row.
- "frames": (batch, channel, frame, height, width), read as one grid in which the frames stand one below the other."""


@dataclass(frozen=True)
class Form:
    """How one denoiser takes latents, and how its pipeline's scheduler does."""

    kind: LatentForm

    def rows(self, latents: Any) -> int:
        """Return how many rows a denoiser's input has."""
        return len(latents)

    def positions(self, latents: Any) -> int | None:
        """Return how many cells an input holds, those of other images included; None if it holds one grid alone."""
        return latents.shape[1] if self.kind == "packed" else None

    def frames(self, latents: Any) -> int:
        """Return how many frames an input has; 1 for images."""
        return latents.shape[2] if self.kind == "frames" else 1

    def size(self, latents: Any) -> Size:
        """Return height and width of an input that is not packed; frames count as height."""
        shape = latents[0].shape[-2:] if self.kind == "listed" else latents.shape[-2:]
        return self.frames(latents) * shape[0], shape[1]

    def unpack(self, latents: Any, size: Size) -> Latents:
        """Return a denoiser's input as a grid, without the cells of other images."""
        if self.kind == "listed":
            return torch.stack(list(latents)).squeeze(2)
        if self.kind == "packed":
            return latents[:, : size[0] * size[1]].mT.unflatten(-1, size)
        return latents.flatten(2, 3) if self.kind == "frames" else latents

    def put(self, latents: Any, grid: Latents) -> Any:
        """Return a denoiser's input like `latents` with `grid` as its first channels and cells."""
        if self.kind == "packed":
            cells = grid.flatten(-2).mT
            own = torch.cat([cells, latents[:, : cells.shape[1], cells.shape[2] :]], dim=2)
            return torch.cat([own, latents[:, cells.shape[1] :]], dim=1)
        whole = torch.cat([grid, self.unpack(latents, self.size(latents))[:, grid.shape[1] :]], dim=1)
        if self.kind == "listed":
            return list(whole.unsqueeze(2).unbind(0))
        return whole.unflatten(2, latents.shape[2:4]) if self.kind == "frames" else whole

    def for_scheduler(self, grid: Latents, like: Any) -> Tensor:
        """Return `grid` in the form in which the scheduler has `like`, its latents."""
        if self.kind == "packed":
            return grid.flatten(-2).mT
        return grid.unflatten(2, like.shape[2:4]) if self.kind == "frames" else grid

    def from_scheduler(self, latents: Tensor, size: Size) -> Latents:
        """Return latents in the form in which the scheduler has them as a grid."""
        return latents if self.kind == "listed" else self.unpack(latents, size)

    def predicted(self, output: Any, channels: int, size: Size, sign: int) -> Tensor:
        """Return a denoiser's prediction as the scheduler gets it: one tensor, of latents of `size` and `channels`."""
        whole = torch.stack(list(output)).squeeze(2) if self.kind == "listed" else output
        return sign * (whole[:, : size[0] * size[1]] if self.kind == "packed" else whole[:, :channels])
