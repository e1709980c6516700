"""Where the weights of a pipeline wait until they are needed: diffusers' own ways, by its names."""

from typing import Any

import torch

from heedful.errors import ModelError, SettingsError
from heedful.models.find import first_line
from heedful.options import Offload


def check_offload(offload: Offload, device: str) -> None:
    """Raise `SettingsError` if there is no accelerator that weights could be kept away from."""
    if offload != "none" and device == "cpu":
        raise SettingsError(
            f"Expected an accelerator (cuda or mps) for the offloading {offload!r}, got the processor, in whose memory "
            "the weights lie already. Leave offloading out."
        )


def begin_offload(pipe: Any, offload: Offload, device: str) -> None:
    """Let the weights of `pipe`, which lie in the memory of the processor, come to `device` when they are needed.

    - `model`: each part of the pipeline while it runs; `sequential`: each layer while it runs.
    - `group`: each block of the parts while it runs, the next one after it.

    Nothing is done for `none`. Raises `ModelError` in the words of diffusers for a pipeline that cannot do it.
    """
    try:
        if offload == "model":
            pipe.enable_model_cpu_offload(device=device)
        elif offload == "sequential":
            pipe.enable_sequential_cpu_offload(device=device)
        elif offload == "group":
            pipe.enable_group_offload(torch.device(device), offload_type="block_level", num_blocks_per_group=1)
    except (AttributeError, ImportError, NotImplementedError, ValueError) as reason:
        raise ModelError(
            f"Expected a pipeline that can be offloaded by {offload!r}, but diffusers says of {type(pipe).__name__}: "
            f"{first_line(reason)} Choose another way to offload, or none."
        ) from reason
