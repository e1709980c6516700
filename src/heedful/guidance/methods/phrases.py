"""Each phrase of the text is made to stand as if it were alone, so that no concept is told by the ones before it.

CLIP reads from left to right: the state of "clock" in "a cat and a blue clock" has read the cat, and what comes out is
two cats, or a cat that is blue. Structured diffusion guidance (Feng et al., ICLR 2023, arXiv 2212.05032) encodes each
noun phrase apart and mixes what it says into the values of cross-attention. Here the states themselves are replaced, so
that keys, and with them the maps that losses read, follow too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from heedful.errors import SettingsError
from heedful.steering import EMBEDDED, Method, ReadTexts, Settings, Text, TextEdit


@dataclass(frozen=True, kw_only=True)
class PhrasesAlone(TextEdit):
    """c_t <- (1 - share) c_t + share p_t for the tokens t of each concept's modifiers and noun.

    p_t is the state of the same token in the text of that phrase alone, "a blue clock". Articles and all other words,
    start token, end token, padding, the pooled embedding and what T5 reads stay as they are.
    """

    citations: ClassVar = ("feng2023structured",)

    share: float = 1.0
    """In [0, 1]; 0 leaves the text as it is."""
    alone: str = "a {phrase}"
    """The text in which a phrase stands alone."""

    def __post_init__(self) -> None:
        if "{phrase}" not in self.alone or not 0 <= self.share <= 1:
            raise SettingsError(f"Expected a text with {{phrase}} in it and a share in [0, 1], got {self}.")

    def edited(self, text: Text, nouns: Sequence[str], read: ReadTexts) -> Text:
        """Return `text` with other states of its concepts' words."""
        states = text.states.clone()
        alone = read([self.alone.format(phrase=phrase) for phrase in text.written])
        for tokens, own in zip(text.phrases, alone, strict=True):
            (own_tokens,) = own.phrases
            # cut off at the end of what CLIP reads, a phrase keeps its first words
            there = states[list(tokens)]
            states[list(tokens)] = there.lerp(own.states[list(own_tokens[: len(tokens)])], self.share)
        return replace(text, states=states)


PHRASES = Method(
    name="phrases",
    loss=None,
    settings=Settings(text_edit=PhrasesAlone()),
    embedded=replace(EMBEDDED, text_edit=PhrasesAlone()),
)
"""The edit alone, without any guidance: what `heedful` does to the text.

No gradient passes through the denoiser, so a run costs what it costs without guidance.
"""
