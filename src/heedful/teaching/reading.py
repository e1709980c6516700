"""Captions as a pipeline reads them, also before it knows the new words."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from heedful.attention import ImagePipeline, find_denoiser, layout_of
from heedful.prompts import Prompt
from heedful.teaching.concepts import NewConcept, taught_tokenizer

Read = Callable[[str], Prompt]
"""A caption -> the prompt as the pipeline's text encoders read it; raises what `Prompt.parse` raises."""
TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3")


def reader_of(pipe: ImagePipeline, wanted: Sequence[str] | None = None) -> Read:
    """Return how `pipe` reads captions; `wanted` are the concepts to find, all that a caption names if None."""
    denoiser: Any = find_denoiser(pipe)
    layout = layout_of(denoiser)
    return lambda text: layout.read(pipe, text, wanted, {})


def taught_reader(pipe: ImagePipeline, concepts: Sequence[NewConcept], num_vectors: int) -> Read:
    """Return how `pipe` will read captions once it knows the new words; the pipeline stays as it is."""
    known = {
        name: taught_tokenizer(tokenizer, concepts, num_vectors)
        for name in TOKENIZERS
        if (tokenizer := getattr(pipe, name, None)) is not None
    }
    view: Any = _Knowing(pipe, known)
    denoiser: Any = find_denoiser(pipe)
    layout = layout_of(denoiser)
    return lambda text: layout.read_prompt(view, text, None, {})


def learnt_of(prompt: Prompt, concepts: Sequence[NewConcept]) -> Prompt:
    """Return `prompt` with those of its concepts alone that are learnt."""
    learnt = {concept.placeholder for concept in concepts}
    taught = (each for each in prompt.concepts if learnt & {modifier.text for modifier in each.modifiers})
    return replace(prompt, concepts=tuple(taught))


class _Knowing:
    """A pipeline with other tokenizers."""

    def __init__(self, pipe: ImagePipeline, tokenizers: dict[str, Any]):
        self._pipe = pipe
        self.__dict__.update(tokenizers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipe, name)
