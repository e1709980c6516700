"""Text only: a prompt becomes concepts with token indices. No torch, no pipelines."""

from heedful.prompts.concept import Concept, Modifier, Prompt
from heedful.prompts.spacy_phrases import SpacyPhrases
from heedful.prompts.syntax import Phrase, phrases_by_rules
from heedful.prompts.tokens import Span, Tokenizer

__all__ = [
    "Concept",
    "Modifier",
    "Phrase",
    "Prompt",
    "SpacyPhrases",
    "Span",
    "Tokenizer",
    "phrases_by_rules",
]
