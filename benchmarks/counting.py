"""What one gradient pass costs, counted on fake tensors, which have shapes and no values."""

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from heedful.steering.cost import operations

GIB = 2**30

OpenPass = Callable[[], AbstractContextManager[tuple[Callable[[], Tensor], Tensor]]]
"""Opens a pass until its way back is done: a forward whose result depends on the maps, and the latents that it sees."""


def count_pass(denoiser: nn.Module, open_pass: OpenPass, whole: int) -> dict[str, float]:
    """Count a gradient pass: operations relative to the `whole` forward of one row, and GiB of what it keeps.

    "saved_gib" is what is kept for the way back besides the parameters, "peak_gib" the most that lives at once.
    """
    own = {parameter.untyped_storage()._cdata for parameter in denoiser.parameters()}
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            saved[storage._cdata] = storage.nbytes()
        return tensor

    def there_and_back(run: Callable[[Callable[[], Any]], tuple[int, Any]]) -> tuple[int, int]:
        saved.clear()
        with open_pass() as (forward, latents):
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
        "saved_gib": sum(saved.values()) / GIB,
        "peak_gib": living.peak / GIB,
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
