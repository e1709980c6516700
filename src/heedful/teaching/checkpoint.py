"""Checkpoints of a training: what learns, the moments of AdamW, the losses, and the recipe that they belong to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from heedful import adam
from heedful.errors import SettingsError
from heedful.files import write_atomic
from heedful.folders import OutputFolder
from heedful.teaching.folder import CHECKPOINT
from heedful.teaching.recipe import check_same

_BROKEN = (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError)


@dataclass(frozen=True)
class State:
    """What a training needs to continue to the same end."""

    parameters: Mapping[str, nn.Parameter]
    optimizer: Any
    scaler: Any
    """The gradient scaler of mixed precision; None without one."""
    recipe: Mapping[str, Any]


def save_checkpoint(folder: Path, state: State, step: int, losses: Tensor) -> None:
    """Write the checkpoint of a folder, whole or not at all; raises `OutputError`."""
    tensors = adam.pack(state.parameters, state.optimizer)
    tensors |= {"losses": losses, "step": torch.tensor(step)}
    scaler = {} if state.scaler is None else {"scaler": json.dumps(state.scaler.state_dict())}
    content = save(tensors, metadata={"recipe": json.dumps(state.recipe), **scaler})
    write_atomic(folder / CHECKPOINT, content, through=OutputFolder(folder).parts)


def resume(folder: Path, state: State, losses: Tensor) -> int:
    """Put back what the checkpoint of a folder holds, losses too, and return how many steps it has; 0 without one.

    Raises `SettingsError` for a checkpoint of another training, and for one that is broken.
    """
    file = folder / CHECKPOINT
    if not file.exists():
        return 0
    try:
        with safe_open(file, framework="pt") as opened:
            said = opened.metadata() or {}
        recipe = json.loads(said["recipe"])
        tensors: dict[str, Tensor] = load_file(file)
        check_same(recipe, state.recipe, folder, is_done=False)
        adam.unpack(tensors, state.parameters, state.optimizer)
        losses.copy_(tensors["losses"])
        if state.scaler is not None and "scaler" in said:
            state.scaler.load_state_dict(json.loads(said["scaler"]))
        return int(tensors["step"])
    except SettingsError:
        raise
    except _BROKEN as reason:
        raise SettingsError(f"Expected a checkpoint in {file}, but it is broken ({reason}). Remove it.") from reason


def steps_kept(folder: Path) -> int:
    """Return how many steps the checkpoint in `folder` has; 0 without one that can be read."""
    try:
        with safe_open(folder / CHECKPOINT, framework="pt") as file:
            return int(file.get_tensor("step"))
    except _BROKEN:
        return 0
