"""What nobody would see in the images is said before they are made: words that a model never saw, weights as text."""

from collections.abc import Iterator, Sequence
from typing import Any

from heedful.attention import find_denoiser
from heedful.prompts import Prompt, find_weight
from heedful.world import CLASSES, COLOURS, is_embedded


def remarks_on(pipe: Any, prompts: Sequence[Prompt]) -> Iterator[str]:
    """Yield a remark on words that an embedded model never saw, and one on what looks like a weight in the text."""
    if is_embedded(find_denoiser(pipe)):
        unknown = dict.fromkeys(word for prompt in prompts for word in _unknown(prompt))
        if unknown:
            yield (
                f"The embedded model has never seen {', '.join(unknown)}, so no image shows it, and its judge does not "
                f"count it. It knows {', '.join(CLASSES)}, and the colours {', '.join(COLOURS)}."
            )
    for prompt in prompts:
        weight = None if prompt.weighted else find_weight(prompt.text)
        if weight is not None:
            yield (
                f"The prompt holds what looks like a weight, {weight!r}, which is read as text. Have it read as a "
                "weight of compel's (docs/prompts.md), or leave it out."
            )
            return


def _unknown(prompt: Prompt) -> list[str]:
    """Return the nouns and colours of a prompt's concepts that are no words of the world; taught words are skipped."""
    known = {*CLASSES, *COLOURS, "background"}
    words = [
        word
        for concept in prompt.concepts
        for text in (*(modifier.text for modifier in concept.modifiers), concept.noun)
        for word in text.lower().split()
    ]
    return [word for word in words if word not in known and not word.startswith("<")]
