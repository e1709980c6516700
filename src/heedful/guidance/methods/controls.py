"""Controls: no guidance, a random direction, and the loss of tokens that are no concepts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from heedful.attention import Maps
from heedful.guidance.methods.a_star import Segregation
from heedful.guidance.methods.attend_and_excite import ATTEND_AND_EXCITE, WITHOUT_REFINEMENT
from heedful.losses import AnyLoss, Loss, citations_of, loss_at, needs_self_attention
from heedful.prompts import Concept, Prompt
from heedful.shapes import PerItem
from heedful.steering import EMBEDDED, Method


@dataclass(frozen=True)
class WrongTokens(Loss):
    """`loss`, with each prompt's concepts replaced by as many of its other tokens: articles, "and", prepositions.

    Each different token comes once before any comes again: "a" and "and" in "a cat and a dog". A prompt that consists
    of concepts alone has no other tokens, and gets the loss of a prompt without concepts.

    No gradient flows through the maps of the concepts themselves. Some losses read every token of the prompt, such as
    EBAMA, which pushes its nouns from all other words: left alone, it would push "a" from "cat", and move both.
    """

    loss: AnyLoss

    @property
    def citations(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Keys of the papers behind it."""
        return citations_of(self.loss)

    @property
    def needs_self_attention(self) -> bool:
        """Whether the loss does."""
        return needs_self_attention(self.loss)

    def at(self, share: float) -> Loss:
        """Return the same control of the loss that is followed then."""
        return WrongTokens(loss_at(self.loss, share))

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return the loss of the other tokens for each item."""
        return self.loss(_without(maps, prompts), [with_wrong_tokens(prompt) for prompt in prompts], previous)

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return why the loss is zero for the other tokens of `prompt`."""
        return self.loss.idle_for(with_wrong_tokens(prompt)) if isinstance(self.loss, Loss) else ()


def with_wrong_tokens(prompt: Prompt) -> Prompt:
    """Return `prompt` with its concepts replaced by as many of its tokens that belong to none."""
    taken = _taken(prompt)
    free = [index for index in range(prompt.first, prompt.end) if index not in taken]
    seen: set[str] = set()
    is_repeat = {index: prompt.tokens[index] in seen or bool(seen.add(prompt.tokens[index])) for index in free}
    chosen = sorted(free, key=is_repeat.__getitem__)[: len(prompt.concepts)]
    others = (Concept(name=prompt.tokens[i], noun=prompt.tokens[i], token_indices=(i,)) for i in chosen)
    return replace(prompt, concepts=tuple(others))


def _without(maps: Maps, prompts: Sequence[Prompt]) -> Maps:
    """Return `maps` in which those of the concepts and their modifiers are constants."""
    is_taken = torch.zeros(maps.tokens.shape[:2], dtype=torch.bool)
    for item, prompt in enumerate(prompts):
        is_taken[item, sorted(_taken(prompt))] = True
    where = is_taken.to(maps.tokens.device)[:, :, None, None]
    return replace(maps, tokens=torch.where(where, maps.tokens.detach(), maps.tokens))


def _taken(prompt: Prompt) -> set[int]:
    """Return the tokens that belong to a concept or to one of its modifiers."""
    return {index for concept in prompt.concepts for index in concept.phrase}


NONE = Method(name="none", loss=None, embedded=EMBEDDED)
"""No guidance: the pipeline's own images, bit for bit. The maps are read all the same."""

RANDOM = Method(
    name="random",
    loss=ATTEND_AND_EXCITE.loss,
    settings=WITHOUT_REFINEMENT,
    embedded=ATTEND_AND_EXCITE.embedded,
    direction="random",
)
"""Steps as long as Attend-and-Excite's (without refinement), in a random direction of each image's seed."""

WRONG_TOKENS = Method(
    name="wrong-tokens",
    loss=WrongTokens(Segregation()),
    settings=WITHOUT_REFINEMENT,
    embedded=ATTEND_AND_EXCITE.embedded,
)
"""The control to beat: segregation of tokens that are no concepts, such as an article and "and"."""
