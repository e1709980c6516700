"""Text only: a prompt becomes concepts with token indices. No torch, no pipelines."""

from heedful.prompts.concept import Concept, Modifier, Prompt
from heedful.prompts.spacy_phrases import SpacyPhrases
from heedful.prompts.syntax import Phrase, phrases_by_rules
from heedful.prompts.template import NO_TEMPLATE, Template
from heedful.prompts.tokens import Span, Tokenizer

__all__ = [
    "NO_TEMPLATE",
    "Concept",
    "Modifier",
    "Phrase",
    "Prompt",
    "SpacyPhrases",
    "Span",
    "Template",
    "Tokenizer",
    "phrases_by_rules",
]
