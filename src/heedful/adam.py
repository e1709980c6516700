"""The state of a training with AdamW as tensors by name, for checkpoints in safetensors."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def pack(parameters: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return values and moments under `parameter.NAME`, `exp_avg.NAME` and so on, on the CPU."""
    tensors: dict[str, Tensor] = {}
    for name, parameter in parameters.items():
        tensors[f"parameter.{name}"] = parameter.detach()
        for moment, value in optimizer.state[parameter].items():
            tensors[f"{moment}.{name}"] = value
    return {name: value.cpu().contiguous() for name, value in tensors.items()}


@torch.no_grad()
def unpack(
    tensors: Mapping[str, Tensor], parameters: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer
) -> None:
    """Put back what `pack` returned."""
    for name, parameter in parameters.items():
        parameter.copy_(tensors[f"parameter.{name}"])
        # AdamW keeps its step count on the CPU unless fused on another device
        moments = {moment: tensors[f"{moment}.{name}"] for moment in _MOMENTS if f"{moment}.{name}" in tensors}
        optimizer.state[parameter] = {
            moment: value if moment == "step" and not optimizer.defaults.get("fused") else value.to(parameter.device)
            for moment, value in moments.items()
        }
