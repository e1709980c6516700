"""Operations and activations of guidance, counted on fake tensors: they have shapes and no values.

Read by `guidance_cost.py`, which measures seconds next to them.
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import heedful
from heedful.attention import Reader, Record, SiteSelection, find_sites
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
    rows["diffusers' pipeline"] = _pass(unet, whole, arguments, _in_the_open(unet, first))
    unet.set_attn_processor(dict(processors))
    for name, chosen in sites.items():
        with frozen(unet), recomputing(unet, wanted=False):
            rows[name] = _pass(unet, whole, arguments, _tapped(unet, chosen))
    with frozen(unet), recomputing(unet):
        rows[f"{next(iter(sites))}, checkpoint"] = _pass(unet, whole, arguments, _tapped(unet, first))
    return {"forward_flops": whole, "passes": rows, "runs": _runs(rows)}


OpenPass = Callable[[dict[str, Any]], AbstractContextManager[Callable[[], Tensor]]]
"""The denoiser's arguments -> a pass, open until its way back is done: a function whose result depends on the maps."""


def _tapped(unet: Any, sites: SiteSelection) -> OpenPass:
    """Our gradient pass: fused attention, ends at the last site."""

    @contextmanager
    def open_pass(arguments: dict[str, Any]) -> Iterator[Callable[[], Tensor]]:
        record = Record()

        def forward() -> Tensor:
            once(unet.forward)
            return record.maps().tokens.square().sum()

        with Reader(unet, sites).reading(arguments, record, after_last="stop") as once:
            yield forward

    return open_pass


def _in_the_open(unet: Any, sites: SiteSelection) -> OpenPass:
    """That of diffusers' pipeline: the whole forward, and the probabilities that its processors have at hand."""
    size = (unet.config.sample_size,) * 2
    chosen = [unet.get_submodule(site.name) for site in sites.choose(find_sites(unet), size)]

    @contextmanager
    def open_pass(arguments: dict[str, Any]) -> Iterator[Callable[[], Tensor]]:
        seen: list[Tensor] = []

        def forward() -> Tensor:
            unet(**arguments)
            return torch.stack([probabilities.square().sum() for probabilities in seen]).sum()

        for module in chosen:
            scores = type(module).get_attention_scores.__get__(module)
            module.get_attention_scores = lambda *given, scores=scores: seen.append(scores(*given)) or seen[-1]
        yield forward
        for module in chosen:
            del module.get_attention_scores

    return open_pass


def _pass(unet: Any, whole: int, arguments: dict[str, Any], open_pass: OpenPass) -> dict[str, float]:
    """Count a gradient pass, what it keeps for the way back besides the parameters, and the most that lives at once."""
    own = {parameter.untyped_storage()._cdata for parameter in unet.parameters()}
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            saved[storage._cdata] = storage.nbytes()
        return tensor

    def there_and_back(run: Callable[[Callable[[], Any]], tuple[int, Any]]) -> tuple[int, int]:
        saved.clear()
        latents = torch.zeros_like(arguments["sample"]).requires_grad_()
        with open_pass(arguments | {"sample": latents}) as forward:
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                there, value = run(forward)
            back, _ = run(lambda: torch.autograd.grad(value, latents))
        return there, back

    with Living() as living:  # not while operations are counted, which keeps what is run twice
        there_and_back(lambda run: (0, run()))
    there, back = there_and_back(operations)
    return {
        "forward": there / whole,
        "backward": back / whole,
        "saved_gib": sum(saved.values()) / 2**30,
        "peak_gib": living.peak / 2**30,
    }


class Living(TorchDispatchMode):
    """Counts the bytes of the tensors that are made while it is open, as long as they live."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        given = {one.untyped_storage()._cdata for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)}
        for storage in (one.untyped_storage() for one in tree_leaves(made) if isinstance(one, Tensor)):
            if storage._cdata not in self._known | given:  # views of parameters are no tensors of their own
                self._known.add(storage._cdata)
                self._now += storage.nbytes()
                weakref.finalize(storage, self._forget, storage._cdata, storage.nbytes())
        self.peak = max(self.peak, self._now)
        return made

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size


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
