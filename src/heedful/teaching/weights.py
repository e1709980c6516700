"""Which weights of a denoiser learn: they themselves, or low-rank additions to them (LoRA)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from heedful.attention import find_sites
from heedful.errors import require

Weights = Literal["none", "value", "key-value", "query-key-value", "all"]
"""Those of attention that read the text, with or without the one that reads the image; or the whole denoiser. Blocks of
FLUX.1 with the same weights for text and image have theirs for both."""

ADAPTER = "taught"
"""The name of our LoRA in a pipeline."""
_PROJECTIONS = {
    "none": (),
    "value": ("to_v",),
    "key-value": ("to_k", "to_v"),
    "query-key-value": ("to_q", "to_k", "to_v"),
}

_ATTENTION = ["to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"]


def projections(denoiser: nn.Module, weights: Weights) -> tuple[str, ...]:
    """Return the dotted names of the cross-attention projections that `weights` stands for; none for "all"."""
    parts = _PROJECTIONS.get(weights, ())
    sites = [(site.name, denoiser.get_submodule(site.name)) for site in find_sites(denoiser)]
    return tuple(f"{name}.{_of_the_text(site, part)}" for name, site in sites for part in parts)


def _of_the_text(site: nn.Module, part: str) -> str:
    """Return which projection of a site reads the text, if it has its own for that, as joint attention has."""
    own = part.replace("to_", "add_") + "_proj"
    return own if part != "to_q" and getattr(site, own, None) is not None else part


def choose_weights(denoiser: nn.Module, weights: Weights) -> dict[str, nn.Parameter]:
    """Return the chosen parameters of `denoiser` by name, in float32 and with gradients; no other one takes any."""
    denoiser.requires_grad_(False)
    wanted = tuple(f"{name}." for name in projections(denoiser, weights))
    chosen = {
        name: parameter
        for name, parameter in denoiser.named_parameters()
        if weights == "all" or name.startswith(wanted)
    }
    return _prepared(chosen if weights != "none" else {})


def add_lora(denoiser: Any, weights: Weights, rank: int, seed: int) -> dict[str, nn.Parameter]:
    """Add a LoRA (Hu et al. 2022) of this rank to the chosen weights, and return its parameters.

    For "all" these are the projections of every attention, self-attention too, as in diffusers' DreamBooth scripts: not
    the convolutions. It begins as no change at all, with a random half that follows from `seed`. Raises
    `MissingExtra` without peft.
    """
    peft = require("peft", "train")
    denoiser.requires_grad_(False)
    targets = _ATTENTION if weights == "all" else list(projections(denoiser, weights))
    config = peft.LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=targets)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        denoiser.add_adapter(config, adapter_name=ADAPTER)
    return _prepared({name: each for name, each in denoiser.named_parameters() if each.requires_grad})


@contextmanager
def start_detached(denoiser: nn.Module, weights: Weights) -> Iterator[None]:
    """Let no gradient reach keys and values through the start token, while the block is open (Custom Diffusion).

    Every prompt has that token, and much attention goes there: learnt through it, the weights would change every image.
    """
    handles: list[RemovableHandle] = []
    for name in projections(denoiser, weights):
        if not name.endswith(".to_q"):
            handles.append(denoiser.get_submodule(name).register_forward_hook(_detach_first))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _detach_first(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
    return torch.cat([output[:, :1].detach(), output[:, 1:]], dim=1)


def _prepared(chosen: dict[str, nn.Parameter]) -> dict[str, nn.Parameter]:
    for parameter in chosen.values():
        parameter.data = parameter.data.float()
        parameter.requires_grad_(True)
    return chosen
