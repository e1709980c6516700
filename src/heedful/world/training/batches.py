"""Batches of rendered scenes, each a pure function of (seed, phase, step): a resumed run sees what a whole one sees."""

import numpy as np
import torch
from torch import Tensor

from heedful.world.render import render
from heedful.world.scene import CANVAS, Scene, random_scene
from heedful.world.style import APART, Style


def step_rng(seed: int, phase: str, step: int) -> np.random.Generator:
    """The random numbers of one step of one phase, the same whatever ran before."""
    return np.random.default_rng([seed, *phase.encode(), step])


def torch_generator(rng: np.random.Generator) -> torch.Generator:
    """A CPU torch generator seeded from a numpy one."""
    return torch.Generator().manual_seed(int(rng.integers(2**62)))


def random_scenes(
    rng: np.random.Generator,
    batch: int,
    mix: tuple[float, float, float],
    canvas: int = CANVAS,
    sizes: tuple[int, int] | None = None,
    style: Style = APART,
) -> list[Scene]:
    """Draw `batch` training scenes; `mix` gives the shares of scenes with 1, 2 and 3 objects."""
    counts = rng.choice((1, 2, 3), size=batch, p=mix)
    return [random_scene(rng, count=int(count), canvas=canvas, sizes=sizes, style=style) for count in counts]


def rendered(scenes: list[Scene]) -> Tensor:
    """Render scenes to (batch, 3, height, width) in [-1, 1]."""
    return to_tensor(np.stack([render(scene) for scene in scenes]))


def to_tensor(images: np.ndarray) -> Tensor:
    """(batch, height, width, 3) uint8 to (batch, 3, height, width) float in [-1, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()


def to_images(tensor: Tensor) -> np.ndarray:
    """(batch, 3, height, width) in [-1, 1] to (batch, height, width, 3) uint8."""
    return tensor.clamp(-1, 1).add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
