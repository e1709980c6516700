"""ISAC (Jo et al., ECCV 2026, arXiv 2505.20935): instances first, then what they are.

Self-attention shows early which cells belong to one object, whatever it is. So the maps of all cells are split into as
many clusters as there are objects, and the clusters part; later, what each token sees, spread along self-attention,
parts and binds. Two maps are compared by the largest product of a cell: MPO(a, b) = max over cells p of a_p b_p.

Written from two digests of the paper, which contradict each other in the signs of the second phase. Here are the signs
with which the loss does what its words say: it falls when concepts part, and when a word comes to its concept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.attention import Maps
from heedful.errors import SettingsError
from heedful.losses import Handover, Loss, at_least_tiny, cell_positions, missing_pair
from heedful.prompts import Prompt
from heedful.shapes import CellMaps, PerItem
from heedful.steering import EMBEDDED, Method, Restart, Settings

_ROUNDS = 10
"""Rounds of K-means, at most; a few suffice for a hundred cells."""


@dataclass(frozen=True, kw_only=True)
class InstanceOverlap(Loss):
    """L = max over pairs of instances i < j of MPO(M_i, M_j),   M = S K   (ISAC, L_ins).

    S is the self-attention among the foreground cells, K says which of N clusters each of them belongs to, without
    gradient: M_i(p) is the share of cell p's attention that goes to instance i. The foreground is where the map of any
    concept, spread along self-attention, is above its mean. The clusters are those of K-means, of the rows of S and of
    where each cell is (row and column in [-1, 1]); N is the number of concepts. In [0, 1/4]: 0 if no cell looks at two
    instances, 1/4 if one looks at two of them alike.

    A prompt with fewer than two concepts has no pair, so it gets 0 and no gradient; `heedful.guide` says so once. Needs
    maps with self-attention, of sites of one size, and raises `SettingsError` for others.

    K-means begins with the cell that is attended to most, and goes on with the cell farthest from those chosen, so it
    draws nothing at random; the paper does not say how.
    """

    citations = ("jo2026isac",)

    @property
    def needs_self_attention(self) -> bool:
        """True: it is about self-attention."""
        return True

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return L for each item, in [0, 1/4]."""
        rows = _rows_of(maps).flatten(-2)  # -> (batch, cell, cell)
        spread = _spread(maps.detach()).group(prompts)
        values = [
            self._overlap(rows[item], spread.maps[item, spread.is_there[item]].flatten(-2), maps.size)
            for item in range(len(maps))
        ]
        return torch.stack(values)

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return that fewer than two concepts have no pair."""
        return missing_pair("InstanceOverlap", prompt)

    def _overlap(
        self, rows: Float[Tensor, "cell cell"], concepts: Float[Tensor, "concept cell"], size: tuple[int, int]
    ) -> Tensor:
        """Return L of one item."""
        if len(concepts) < 2:
            return rows.new_zeros(())
        is_foreground = (concepts > concepts.mean(-1, keepdim=True)).any(0)
        where = 2 * cell_positions(rows, *size) / (rows.new_tensor(size) - 1).clamp(min=1) - 1
        features = torch.cat([rows.detach(), where], dim=1)[is_foreground]
        owners = cluster(features, len(concepts), int(concepts.sum(0)[is_foreground].argmax()))
        shares = rows[is_foreground][:, is_foreground] @ owners  # -> (cell, instance)
        return torch.stack([_most(shares[:, i], shares[:, j]) for i, j in combinations(range(len(concepts)), 2)]).amax()


@dataclass(frozen=True, kw_only=True)
class SemanticOverlap(Loss):
    """L = max over words a, b of different concepts of MPO(C_a, C_b)
        + max over words a, b of one concept of 1 - MPO(C_a, C_b),   C = S A   (ISAC, L_sem).

    A are the maps of the words, a concept's noun and its modifiers, and S is the self-attention, which spreads them
    along the structure of the image: C_a(x) = sum over cells y of S(x, y) A_a(y). A concept without modifiers has no
    word to bind. In [0, 2]. A word of several tokens is the mean of their maps.

    A prompt of one concept without modifiers gets 0 and no gradient; `heedful.guide` says so once. Needs maps with
    self-attention, of sites of one size, and raises `SettingsError` for others.
    """

    citations = ("jo2026isac",)

    relative: bool = False
    """Divide each map by its maximum first. The digests divide by nothing; then a raw map, about 1 / tokens, makes the
    first term next to nothing and the second next to 1, whatever the maps."""

    @property
    def needs_self_attention(self) -> bool:
        """True: it spreads maps along self-attention."""
        return True

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return L for each item, in [0, 2]."""
        words = [list(_words(prompt)) for prompt in prompts]
        groups = _spread(maps).group_tokens([[tokens for _, tokens in own] for own in words])
        spread = groups.maps.flatten(-2)  # -> (batch, word, cell)
        if self.relative:
            spread = spread / at_least_tiny(spread.amax(-1, keepdim=True))
        return torch.stack([self._overlap(spread[item], own) for item, own in enumerate(words)])

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return that one concept without modifiers has neither another concept nor a word to bind."""
        if any(concept.modifiers for concept in prompt.concepts):
            return ()
        return missing_pair("SemanticOverlap", prompt, "two concepts or one with a modifier")

    def _overlap(self, spread: Float[Tensor, "word cell"], words: list[tuple[int, tuple[int, ...]]]) -> Tensor:
        """Return L of one item, whose words belong to numbered concepts."""
        pairs = list(combinations(range(len(words)), 2))
        common = {pair: _most(spread[pair[0]], spread[pair[1]]) for pair in pairs}
        is_one = {(a, b): words[a][0] == words[b][0] for a, b in pairs}
        apart = [common[pair] for pair in pairs if not is_one[pair]]
        bound = [1 - common[pair] for pair in pairs if is_one[pair]]
        return sum((torch.stack(terms).amax() for terms in (apart, bound) if terms), start=spread.new_zeros(()))


def cluster(features: Float[Tensor, "cell feature"], count: int, first: int) -> Float[Tensor, "cell {count}"]:
    """Return which of `count` clusters each row of features belongs to, one-hot, by K-means from the row `first`."""
    centres = features[first : first + 1]
    while len(centres) < count:
        farthest = torch.cdist(features, centres).amin(1).argmax()
        centres = torch.cat([centres, features[farthest : farthest + 1]])
    owner = torch.cdist(features, centres).argmin(1)
    for _ in range(_ROUNDS):
        one_hot = torch.nn.functional.one_hot(owner, count).to(features)
        sizes = one_hot.sum(0)[:, None]
        centres = torch.where(sizes > 0, one_hot.mT @ features / sizes.clamp(min=1), centres)
        again = torch.cdist(features, centres).argmin(1)
        if again.equal(owner):
            break
        owner = again
    return torch.nn.functional.one_hot(owner, count).to(features)


def _most(first: Float[Tensor, "cell"], second: Float[Tensor, "cell"]) -> Tensor:
    """Return the largest product of a cell (the paper's MPO)."""
    return (first * second).amax()


def _words(prompt: Prompt) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield each noun and modifier: the number of its concept, and its tokens."""
    for number, concept in enumerate(prompt.concepts):
        yield number, concept.token_indices
        yield from ((number, modifier.token_indices) for modifier in concept.modifiers)


def _rows_of(maps: Maps) -> CellMaps:
    if maps.self_attention is None:
        raise SettingsError(
            "Expected maps with self-attention for ISAC, got maps of the text alone. "
            "Read them with capture(..., self_attention=True)."
        )
    return maps.self_attention


def _spread(maps: Maps) -> Maps:
    """Return the maps of the tokens spread along self-attention."""
    rows = _rows_of(maps).flatten(-2)  # -> (batch, cell that looks, cell seen)
    return Maps((maps.tokens.flatten(-2) @ rows.mT).unflatten(-1, maps.size))


ISAC = Method(
    name="isac",
    loss=Handover(first=InstanceOverlap(), last=SemanticOverlap()),
    settings=Settings(step_size=0.01, decay=(1.0, 1.0), guided=1.0),
    embedded=replace(EMBEDDED, step_size=0.01, decay=(1.0, 1.0), guided=1.0),
)
"""Instances part first, then meanings: (1 - s) L_ins + s L_sem after a share s of the run.

- Published: one update of 0.01 times the gradient in every step, on every model; no other number.
- Embedded models: the same; nothing was tuned.
- Left open, in the digests: how K-means begins, how the words' maps are scaled (`SemanticOverlap.relative`), whether
  the start token takes part (here it does not).
- Different here: the paper takes the mean over all layers on the finest grid. Self-attention is read next to sites of
  one size, so here it is the published 16x16 sites, or those of the embedded models.
"""

ISAC_SELECTION = Method(
    name="isac-selection",
    loss=None,
    settings=Settings(
        restart=Restart(step=0.3, limit=float("-inf"), tries=9, loss=InstanceOverlap() + SemanticOverlap())
    ),
    embedded=replace(
        EMBEDDED, restart=Restart(step=0.3, limit=float("-inf"), tries=9, loss=InstanceOverlap() + SemanticOverlap())
    ),
)
"""No gradient: of ten noises, the one whose loss is least goes on.

- Published: the best of ten seeds by the loss, summed over the whole run of each.
- Different here: every noise is followed for 30 % of the run, and the maps of that step decide, which costs a third of
  ten runs; both phases weigh the same.
"""
