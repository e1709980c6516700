"""What joint attention says about where things are, read in three ways in every block, for the pointing game.

Image and text are one sequence, so a word's map can be read from how the image looks at the word, from how the word
looks at the image, or from how like the two come out of the attention.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.overrides import TorchFunctionMode

IMAGE_TO_TEXT, TEXT_TO_IMAGE, OUTPUTS = "image over text", "text over image", "outputs"
"""How image rows divide over text columns, as in cross-attention; how text rows divide over image columns;
and how like each other image and text positions come out of the attention, as a softmax over text tokens of scaled
products (Helbling et al. 2025, arXiv 2502.04320, section 4, with the prompt's own tokens as concepts)."""


def of_head(way: str, head: int) -> str:
    """Return how the maps of one head, counted from 0, are called."""
    return f"{way}, head {head}"


JointRecord = dict[str, Float[Tensor, "batch token height width"]]


@contextmanager
def read_joint(transformer: Any) -> Iterator[JointRecord]:
    """While open, keep the maps of the last forward of a Stable Diffusion 3 transformer, by block and way of reading.

    Those of outputs are of all heads together, the others are means over heads, and beside them stands each head's own.
    """
    record: JointRecord = {}
    with _Listener(len(transformer.transformer_blocks), record.update):
        yield record


class _Listener(TorchFunctionMode):
    """Sees the joint attention of each block in turn: image positions first, then text."""

    def __init__(self, blocks: int, on_maps: Callable[[JointRecord], None]) -> None:
        super().__init__()
        self._blocks = blocks
        self._on_maps = on_maps
        self._calls = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        # text encoders attend too, to as many rows as they have tokens, and among themselves
        if func is F.scaled_dot_product_attention and not (kwargs or {}).get("is_causal") and args[0].shape[-2] > 64:
            name = f"transformer_blocks.{self._calls % self._blocks}.attn"
            self._on_maps({f"{name} ({way})": maps for way, maps in joint_maps(args[0], args[1], result).items()})
            self._calls += 1
        return result


@torch.no_grad()
def joint_maps(
    query: Float[Tensor, "batch head position channel"],
    key: Float[Tensor, "batch head position channel"],
    outputs: Float[Tensor, "batch head position channel"],
    cells: int = 64,
) -> JointRecord:
    """The maps of one joint attention whose first `cells` positions are a square image, the others text."""
    query, key, outputs = query.float(), key.float(), outputs.float().transpose(1, 2).flatten(2)
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    by_head = {
        IMAGE_TO_TEXT: scores[..., :cells, cells:].softmax(-1).mT,
        TEXT_TO_IMAGE: scores[..., cells:, :cells].softmax(-1),
    }
    found = {
        **{way: maps.mean(1) for way, maps in by_head.items()},
        **{of_head(way, head): maps[:, head] for way, maps in by_head.items() for head in range(maps.shape[1])},
        OUTPUTS: (outputs[:, cells:] @ outputs[:, :cells].mT / math.sqrt(outputs.shape[-1])).softmax(1),
    }
    side = math.isqrt(cells)
    return {way: maps.unflatten(-1, (side, side)) for way, maps in found.items()}
