"""Operations and activations of guidance, counted on fake tensors: they have shapes and no values.

Read by `guidance_cost.py`, which measures seconds next to them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from counting import OpenPass, count_pass
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

import heedful
from heedful.attention import Reader, Record, SiteSelection, find_sites, parts_of
from heedful.attention.gradients import frozen, recomputing
from heedful.guidance import EMBEDDED_SITES, PUBLISHED_SITES
from heedful.steering.cost import operations

STEPS, GUIDED = 50, 25
DOWN = SiteSelection(scale=4, blocks=("down",))


def count(**config: Any) -> dict[str, Any]:
    """Count one guided step, and a run of 50 steps with 25 guided, of Stable Diffusion 1.5's architecture."""
    with FakeTensorMode():
        unet = UNet2DConditionModel(**config)
        return _count(unet, {"all 16x16 sites": PUBLISHED_SITES, "those of the down blocks": DOWN}, 77)


def count_world() -> dict[str, Any]:
    """Count the same of the embedded model at its own sites."""
    config = heedful.world.load().unet.config
    with FakeTensorMode():
        return _count(UNet2DConditionModel.from_config(config), {"8x8 sites, up": EMBEDDED_SITES}, 16)


def _count(unet: Any, sites: dict[str, SiteSelection], tokens: int) -> dict[str, Any]:
    config = unet.config
    arguments = {
        "sample": torch.zeros(1, config.in_channels, config.sample_size, config.sample_size),
        "timestep": torch.tensor(1),
        "encoder_hidden_states": torch.zeros(1, tokens, config.cross_attention_dim),
    }
    with torch.no_grad():
        whole = operations(lambda: unet(**arguments))[0]
    first = next(iter(sites.values()))
    rows = {}
    processors = unet.attn_processors
    unet.set_attn_processor(AttnProcessor())  # what diffusers' pipeline has: every attention in the open
    rows["diffusers' pipeline"] = count_pass(unet, _in_the_open(unet, arguments, first), whole)
    unet.set_attn_processor(dict(processors))
    for name, chosen in sites.items():
        with frozen(parts_of(unet)), recomputing(parts_of(unet), wanted=False):
            rows[name] = count_pass(unet, _tapped(unet, arguments, chosen), whole)
    with frozen(parts_of(unet)), recomputing(parts_of(unet)):
        rows[f"{next(iter(sites))}, checkpoint"] = count_pass(unet, _tapped(unet, arguments, first), whole)
    return {"forward_flops": whole, "passes": rows, "runs": _runs(rows)}


def _tapped(unet: Any, arguments: dict[str, Any], sites: SiteSelection) -> OpenPass:
    """Our gradient pass: fused attention, ends at the last site."""

    @contextmanager
    def open_pass() -> Iterator[tuple[Callable[[], Tensor], Tensor]]:
        record, latents = Record(), torch.zeros_like(arguments["sample"]).requires_grad_()

        def forward() -> Tensor:
            once(unet.forward)
            return record.maps().tokens.square().sum()

        with Reader(unet, sites).reading(arguments | {"sample": latents}, record, after_last="stop") as once:
            yield forward, latents

    return open_pass


def _in_the_open(unet: Any, arguments: dict[str, Any], sites: SiteSelection) -> OpenPass:
    """That of diffusers' pipeline: the whole forward, and the probabilities that its processors have at hand."""
    size = (unet.config.sample_size,) * 2
    chosen = [unet.get_submodule(site.name) for site in sites.choose(find_sites(unet), size)]

    @contextmanager
    def open_pass() -> Iterator[tuple[Callable[[], Tensor], Tensor]]:
        seen: list[Tensor] = []
        latents = torch.zeros_like(arguments["sample"]).requires_grad_()

        def forward() -> Tensor:
            unet(**arguments | {"sample": latents})
            return torch.stack([probabilities.square().sum() for probabilities in seen]).sum()

        for module in chosen:
            scores = type(module).get_attention_scores.__get__(module)
            module.get_attention_scores = lambda *given, scores=scores: seen.append(scores(*given)) or seen[-1]
        yield forward, latents
        for module in chosen:
            del module.get_attention_scores

    return open_pass


def _runs(rows: dict[str, dict[str, float]]) -> dict[str, float]:
    """Ratios of a run of 50 steps with 25 guided to a plain one, from the counts of one pass."""
    plain = 2 * STEPS
    ratios = {}
    for name, row in rows.items():
        if name.startswith("diffusers"):  # it looks at every step, and goes back in the guided ones
            ratios[name] = 1 + (STEPS * row["forward"] + GUIDED * row["backward"]) / plain
        else:
            ratios[f"exact, {name}"] = 1 + GUIDED * (row["forward"] + row["backward"]) / plain
            ratios[f"one-pass, {name}"] = (
                1 + GUIDED * row["backward"] / plain
            )  # with checkpoint, what runs again is in it
    return ratios
