"""Text only: a prompt becomes concepts with token indices. No torch, no pipelines."""

from heedful.prompts.concept import Concept, Modifier, Prompt
from heedful.prompts.marks import joined_words, take_marks
from heedful.prompts.spacy_phrases import SpacyPhrases
from heedful.prompts.syntax import Phrase, phrases_by_rules
from heedful.prompts.template import NO_TEMPLATE, Template
from heedful.prompts.tokens import LONGEST_PROMPT, Span, Tokenizer, find_words
from heedful.prompts.weights import Weighted, find_weight, take_weights

__all__ = [
    "LONGEST_PROMPT",
    "NO_TEMPLATE",
    "Concept",
    "Modifier",
    "Phrase",
    "Prompt",
    "SpacyPhrases",
    "Span",
    "Template",
    "Tokenizer",
    "Weighted",
    "find_weight",
    "find_words",
    "joined_words",
    "phrases_by_rules",
    "take_marks",
    "take_weights",
]
