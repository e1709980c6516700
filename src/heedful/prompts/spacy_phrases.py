"""Noun phrases by spaCy, for those who installed it and ask for it.

spaCy is never used unasked: the same prompt would otherwise have other concepts on another machine.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from heedful.errors import ModelNotFound, require
from heedful.prompts.syntax import GROUNDS, Phrase
from heedful.prompts.tokens import Span

_MODIFIERS = ("amod", "nummod", "nmod", "compound", "poss")
_COMPOUND = "compound"


@dataclass(frozen=True)
class SpacyPhrases:
    """`Prompt.parse(..., syntax=SpacyPhrases())` takes spaCy's noun chunks as concepts.

    Compound nouns are one noun ("teddy bear"); pronouns are no concepts, nor is a background. Needs the extra `syntax`
    and a spaCy model.
    """

    model: str = "en_core_web_sm"
    """Name of an installed spaCy pipeline that parses dependencies."""

    def __call__(self, text: str) -> tuple[Phrase, ...]:
        """Return the noun phrases of `text`; raises `MissingExtra` or `ModelNotFound`."""
        return phrases_of(_load(self.model)(text))


@cache
def _load(model: str) -> Any:
    """Return the spaCy pipeline, loaded once."""
    spacy = require("spacy", extra="syntax")
    try:
        return spacy.load(model)
    except OSError as reason:
        raise ModelNotFound(
            f"Expected the spaCy model {model!r}, which is not installed. "
            f"Install it with: python -m spacy download {model}"
        ) from reason


def phrases_of(document: Any) -> tuple[Phrase, ...]:
    """Return the noun chunks of a parsed spaCy `Doc` as phrases."""
    phrases: list[Phrase] = []
    for chunk in document.noun_chunks:
        root = chunk.root
        if root.pos_ == "PRON" or root.text.lower() in GROUNDS:
            continue
        # A compound joins the noun only where it touches it, so that the noun stays one stretch of text.
        first = root.i
        while first > chunk.start and document[first - 1].dep_ == _COMPOUND:
            first -= 1
        noun = Span(document[first].idx, root.idx + len(root.text))
        before = [token for token in document[chunk.start : first] if token.dep_ in _MODIFIERS]
        modifiers = tuple(Span(token.idx, token.idx + len(token.text)) for token in before)
        name = " ".join([token.text for token in before] + [noun.of(document.text)])
        phrases.append(Phrase(name, noun, modifiers))
    return tuple(phrases)
