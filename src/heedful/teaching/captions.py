"""The captions of a training, read before it begins: as the tokenizer will read them once it knows the new words.

Knows prompts, placeholders and words for scales. Changes no pipeline.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from heedful.prompts import Prompt
from heedful.teaching.embeddings import tokens_of
from heedful.teaching.examples import FAR, NEAR
from heedful.teaching.instance_prompt import NewConcept
from heedful.teaching.settings import TeachingSettings


def taught_tokenizer(tokenizer: Any, concepts: Sequence[NewConcept], num_vectors: int) -> Any:
    """Return a copy of `tokenizer` that knows the new words."""
    known = deepcopy(tokenizer)
    known.add_tokens([token for concept in concepts for token in tokens_of(concept, num_vectors)])
    return known


def check_captions(prompt: str, tokenizer: Any, settings: TeachingSettings) -> None:
    """Raise `PromptError` if `prompt` cannot be read, also where captions say a scale before it.

    The tokenizer must know the new words.
    """
    says_scale = settings.augmentation == "custom-diffusion" and settings.say_scale
    for words in ("", *(FAR + NEAR if says_scale else ())):
        Prompt.parse(f"{words} {prompt}".strip(), tokenizer)
