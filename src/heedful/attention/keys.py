"""Reads and changes the keys of the text, at each site of a denoiser, while it runs.

Like a `Tap`, this listens to the call that a module makes anyway, after whatever lies before it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from heedful.attention.intercept import replaced
from heedful.attention.layouts import layout_of, uncompiled
from heedful.errors import UnsupportedPipeline

TextKeys = Float[Tensor, "batch head token width"]
Change = Callable[[str, TextKeys], TextKeys]
"""(name of the site, its keys of the text) -> the keys that it uses instead, of the same shape."""


@contextmanager
def text_keys(denoiser: nn.Module, arguments: dict[str, Any], change: Change) -> Iterator[None]:
    """Let `change` see and replace the keys of the text at every site, in calls of `denoiser` with these `arguments`.

    Only the sizes of `arguments` matter. Taps that are opened inside the block read the changed keys. A site whose
    processor computes attention in another way than by `scaled_dot_product_attention` keeps its keys. Raises
    `UnsupportedPipeline` where each row has a length of text of its own.
    """
    layout, whole = layout_of(denoiser), uncompiled(denoiser)
    with ExitStack() as stack:
        for site in layout.find_sites(whole):
            there = layout.sequences(whole, arguments, site)
            if there.row_tokens:
                raise UnsupportedPipeline(
                    f"Expected text of one length in all rows at {site.name}, got one of its own for each: its keys "
                    "cannot be told apart. Call the pipeline for one prompt at a time."
                )
            text = slice(0, there.tokens) if there.text_place == "keys" else there.text
            module = whole.get_submodule(site.name)
            forward = _changed(module, there.keys, text, partial(change, site.name))
            stack.enter_context(replaced(module, "forward", forward))
        yield


class _Keys(TorchFunctionMode):
    """While open, replaces the keys of the text in the first attention that has as many keys as are expected."""

    def __init__(self, length: int, text: slice, change: Callable[[TextKeys], TextKeys]):
        super().__init__()
        self._length, self._text, self._change = length, text, change
        self._is_done = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is not F.scaled_dot_product_attention or self._is_done:
            return func(*args, **kwargs)
        named = dict(zip(("query", "key", "value"), args, strict=False))
        key: Tensor = (named | kwargs)["key"]
        if key.shape[-2] != self._length:
            return func(*args, **kwargs)
        self._is_done = True
        before, text, after = (
            key[..., : self._text.start, :],
            key[..., self._text, :],
            key[..., self._text.stop :, :],
        )
        changed = torch.cat([before, self._change(text).to(key.dtype), after], dim=-2)
        if len(args) > 1:
            return func(args[0], changed, *args[2:], **kwargs)
        return func(*args, **(kwargs | {"key": changed}))


def _changed(module: nn.Module, length: int, text: slice, change: Callable[[TextKeys], TextKeys]) -> Callable[..., Any]:
    """Return the forward of `module` with its keys of the text changed."""
    forward = module.forward

    def changed(*args: Any, **kwargs: Any) -> Any:
        with _Keys(length, text, change):
            return forward(*args, **kwargs)

    return changed
