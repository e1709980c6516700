"""Reads attention probabilities inside one module, while that module runs.

Two ways were open: to compute the probabilities outside the module from its `to_q` and `to_k`, or to listen to the
call that the module makes anyway. Listening won, because what it sees is what the module uses: LoRA, IP-Adapter,
QK-norm, rotary embeddings and Custom-Diffusion projections lie before the call, so none of them needs a case of its
own, and no projection is computed twice. The call itself goes on untouched, so the output is bit for bit the same.
Its price is that it needs that call: a backend or processor that makes another raises `UnsupportedBackend` (`capture`).
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

MeanAttention = Float[Tensor, "batch query key"]
"""How image positions divide their attention among text tokens, or among image positions; mean over heads, in [0, 1],
rows sum to 1."""

Compute = Callable[[Tensor, Tensor, Tensor | None, float | None], MeanAttention]
"""(query, key, mask, scale) -> the attention: `mean_attention`, `recomputed_attention`, or one of `joint_attention` or
`word_attention`."""


class Tap(TorchFunctionMode):
    """While open, hands the attention to `keys` keys to `on_read`, once.

    A site may attend more than once (IP-Adapter attends to its image after the text); the call meant is the first with
    as many keys: text tokens, image positions, or both. The probabilities carry their graph if gradients are on.
    """

    def __init__(self, keys: int, on_read: Callable[[MeanAttention], None], compute: Compute | None = None):
        super().__init__()
        self.has_read = False
        self._keys = keys
        self._on_read = on_read
        self._compute = compute or mean_attention

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention and not self.has_read:
            self._read(*args, **kwargs)
        return func(*args, **kwargs)

    def _read(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> None:
        """Take the arguments of `scaled_dot_product_attention` by the same names, and use those that matter here."""
        if key.shape[-2] != self._keys:
            return
        self.has_read = True
        if enable_gqa:
            key = key.repeat_interleave(query.shape[-3] // key.shape[-3], dim=-3)
        self._on_read(self._compute(query, key, attn_mask, scale))


def mean_attention(
    query: Float[Tensor, "batch head query width"],
    key: Float[Tensor, "batch head key width"],
    mask: Tensor | None = None,
    scale: float | None = None,
) -> MeanAttention:
    """Return softmax(query key^T scale + mask), mean over heads, in float32 or wider.

    `mask` broadcasts to (batch, head, query, key): added if it is of numbers, False bars a key if it is boolean.
    `scale` is 1 / sqrt(width) unless given.
    """
    dtype = torch.promote_types(query.dtype, torch.float32)
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    with full_precision(query.device.type):
        scores = (query.to(dtype) * factor) @ key.to(dtype).mT  # -> (batch, head, query, key)
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask.to(dtype)
        return scores.softmax(dim=-1).mean(dim=1)


def joint_attention(image: slice, text: slice) -> Compute:
    """Return a `Compute` for joint attention, where image and text are one sequence and all look at all.

    It returns how the positions `image` divide among the tokens `text` what they give to text at all: the softmax over
    these keys alone, so that rows sum to 1 as they do in cross-attention, and losses mean the same. What the image
    gives to itself does not count, and no (query, key) of the whole sequence is ever made. Where the image alone looks,
    its positions are the first ones.
    """

    def attention(query: Tensor, key: Tensor, mask: Tensor | None, scale: float | None) -> MeanAttention:
        rows = image if query.shape[-2] == key.shape[-2] else slice(0, image.stop - image.start)
        if mask is not None:
            own, columns = (part if mask.shape[axis] > 1 else slice(None) for axis, part in ((-2, rows), (-1, text)))
            mask = mask[..., own, columns]
        return mean_attention(query[..., rows, :], key[..., text, :], mask, scale)

    return attention


def ragged_attention(row_tokens: Sequence[int], cells: int, tokens: int) -> Compute:
    """Return a `Compute` for joint attention where the image follows at once upon the text of each row.

    `row_tokens` are the lengths of these texts; of `tokens` columns, those beyond them are zero.
    """

    def attention(query: Tensor, key: Tensor, mask: Tensor | None, scale: float | None) -> MeanAttention:
        each = []
        for row, length in enumerate(row_tokens):
            own = joint_attention(slice(length, length + cells), slice(0, length))
            maps = own(query[row : row + 1], key[row : row + 1], None if mask is None else mask[row : row + 1], scale)
            each.append(F.pad(maps, (0, tokens - length)))
        return torch.cat(each)

    return attention


def word_attention(image: slice, text: slice) -> Compute:
    """Return a `Compute` for joint attention that reads the rows of the text: where each word looks in the image.

    Each token's row is a softmax over the positions `image` alone. It is multiplied by image positions per token, so
    that even attention is 1 / tokens in each cell, as it is in cross-attention, and losses mean nearly the same: values
    are in [0, positions / tokens], their mean over the image is 1 / tokens, and those of a cell need not sum to 1.
    """

    def attention(query: Tensor, key: Tensor, mask: Tensor | None, scale: float | None) -> MeanAttention:
        looks = joint_attention(text, image)(query, key, mask, scale)  # -> (batch, token, position)
        return looks.mT * (looks.shape[-1] / looks.shape[-2])

    return attention


def full_precision(device: str) -> AbstractContextManager[object]:
    """Turn a caller's autocast off, which would go back to half precision; the meta device knows none."""
    known = torch.amp.is_autocast_available(device)
    return torch.autocast(device, enabled=False) if known else nullcontext()


def recomputed_attention(
    query: Float[Tensor, "batch head query width"],
    key: Float[Tensor, "batch head key width"],
    mask: Tensor | None = None,
    scale: float | None = None,
) -> MeanAttention:
    """Return what `mean_attention` returns; the backward pass computes it a second time.

    So no (head, query, key) is kept for that pass. With keys that are image positions it would be the largest tensor
    of all: 80 MB per site and image for SDXL's 32x32 cells, of which there are 60.
    """
    return checkpoint(mean_attention, query, key, mask, scale, use_reentrant=False, preserve_rng_state=False)
