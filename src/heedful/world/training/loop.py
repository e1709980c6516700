"""The training loop that every phase shares: AdamW, clipping, weight averaging, and checkpoints that resume exactly.

A phase says what to train and how a step's loss is computed; it draws every random number from the step's index. So a
run that is killed at any moment and started again ends with the weights of a run that was not.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from heedful import adam
from heedful.files import write_atomic
from heedful.world.training.recipe import Recipe

CHECKPOINT = "checkpoint.safetensors"


class Phase(ABC):
    """What a phase trains: its `name`, number of `steps`, `modules`, and the loss of one step."""

    name: str
    steps: int
    modules: nn.ModuleDict

    @abstractmethod
    def loss(self, step: int) -> Tensor:
        """The scalar loss of a step; every random number in it follows from the step's index."""

    def report(self, folder: Path, step: int) -> None:  # noqa: B027 - most phases have nothing to show
        """Write images that show the progress; called with the averaged weights in place."""


class _State:
    """Parameters, their averages, optimizer moments and the loss of every step so far."""

    def __init__(self, phase: Phase, recipe: Recipe) -> None:
        self.parameters = dict(phase.modules.named_parameters())
        self.averages = {name: value.detach().clone() for name, value in self.parameters.items()}
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(), lr=recipe.learning_rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True
        )
        self.losses = torch.full((phase.steps,), float("nan"))
        self.step = 0

    def save(self, path: Path) -> None:
        tensors = adam.pack(self.parameters, self.optimizer)
        tensors |= {"losses": self.losses, "step": torch.tensor(self.step)}
        tensors |= {f"average.{name}": value.cpu().contiguous() for name, value in self.averages.items()}
        write_atomic(path, save(tensors))

    @torch.no_grad()
    def load(self, path: Path) -> None:
        tensors = load_file(path)
        self.step = int(tensors["step"])
        # a recipe that was made longer or shorter meanwhile goes on too
        kept = min(self.step, len(self.losses))
        self.losses[:kept] = tensors["losses"][:kept]
        adam.unpack(tensors, self.parameters, self.optimizer)
        for name, average in self.averages.items():
            average.copy_(tensors[f"average.{name}"])

    @torch.no_grad()
    def average(self, decay: float) -> None:
        # a young average follows the weights quickly
        weight = 1 - min(decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.averages.values()), list(self.parameters.values()), weight)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange parameters and averages; twice is nothing."""
        for name, parameter in self.parameters.items():
            kept = parameter.clone()
            parameter.copy_(self.averages[name])
            self.averages[name].copy_(kept)


def run_phase(
    phase: Phase,
    recipe: Recipe,
    folder: Path,
    *,
    checkpoint_every: int = 200,
    report_every: int = 1000,
    on_step: Callable[[int, int, float], None] = lambda step, steps, loss: None,
) -> None:
    """Train a phase to its end, from its last checkpoint in `folder` if there is one; leave the averages in place."""
    state = _State(phase, recipe)
    path = folder / phase.name / CHECKPOINT
    if path.exists():
        state.load(path)
    phase.modules.train()
    while state.step < phase.steps:
        for group in state.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * _rate(state.step, phase.steps, recipe)
        loss = phase.loss(state.step)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(phase.modules.parameters(), 1.0)
        state.optimizer.step()
        state.optimizer.zero_grad(set_to_none=True)
        state.losses[state.step] = loss.detach()
        state.average(recipe.ema)
        state.step += 1
        on_step(state.step, phase.steps, float(state.losses[state.step - 1]))
        if state.step % checkpoint_every == 0 or state.step == phase.steps:
            state.save(path)
        if state.step % report_every == 0:
            state.swap()
            phase.modules.eval()
            phase.report(path.parent, state.step)
            phase.modules.train()
            state.swap()
    state.swap()
    phase.modules.eval().requires_grad_(False)
    write_atomic(path.parent / "losses.json", json.dumps([round(float(v), 6) for v in state.losses]))


def _rate(step: int, steps: int, recipe: Recipe) -> float:
    falling = (steps - step) / max(1, round(recipe.decay * steps))
    return min(1.0, (step + 1) / max(1, recipe.warmup), falling)
