"""Maps as Attend-and-Excite prepares them, and the losses that descend from it: each token's share of a cell's text.

Knows the two stages and their order. Knows no loss.
"""

from collections.abc import Sequence

from heedful.attention import Convention, Maps
from heedful.losses.normalise import Columns, text_softmax
from heedful.prompts import Prompt


def text_shares(
    maps: Maps,
    prompts: Sequence[Prompt],
    *,
    scale: float | None = 100.0,
    reference_tokens: int | None = None,
    columns: Columns = "padded",
    sigma: float | None = 0.5,
    convention: Convention = "reference",
) -> Maps:
    """Return maps renormalised over the text by softmax(scale * maps), then smoothed by `sigma` cells; in [0, 1].

    Either stage is left out if its number is None. `reference_tokens` says for how many tokens the scale is meant:
    maps of another number get `scale * tokens / reference_tokens`, equally sharp relative to even attention.
    """
    if scale is not None:
        factor = 1.0 if reference_tokens is None else maps.tokens.shape[1] / reference_tokens
        maps = Maps(text_softmax(maps, prompts, scale * factor, columns))
    return maps if sigma is None else maps.smooth(sigma, convention=convention)
