"""The text that a pipeline's denoiser sees: as it is parsed, and as the pipeline encodes it when it is called."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from heedful.attention import Layout, find_denoiser, layout_of
from heedful.errors import PromptError, UnsupportedPipeline
from heedful.prompts import Prompt, take_weights
from heedful.steering.weighted import check_weights


def parse_prompt(pipe: object, text: str, concepts: Sequence[str] | None = None, *, weights: bool = False) -> Prompt:
    """Return the prompt `text` with its concepts, as `pipe` will read it; raises what `Prompt.parse` raises.

    With `weights`, those in the text, as compel writes them, are taken off: "a (red)1.4 cat" is "a red cat". Its
    `embeddings_of` have them.

    Raises `UnsupportedPipeline` for a pipeline without a denoiser that heedful can read, or without a tokenizer.
    """
    denoiser = find_denoiser(pipe)
    if denoiser is None:
        raise UnsupportedPipeline(f"Expected a diffusers pipeline with a denoiser, got {type(pipe).__name__}.")
    if not weights:
        return layout_of(denoiser).read(pipe, text, concepts, {})
    check_weights(pipe)
    found = take_weights(text)
    return replace(layout_of(denoiser).read(pipe, found.text, concepts, {}), weighted=found.written)


@dataclass(frozen=True)
class Encoded:
    """One call of a pipeline's `encode_prompt`."""

    texts: tuple[tuple[str, ...], ...]
    """For each argument whose tokens the denoiser sees, its texts; empty if embeddings were passed instead."""
    is_guided: bool | None
    """Whether an unconditional prediction was asked for; None if that was not said."""
    clean_caption: bool
    """Whether the pipeline was asked to clean the text up."""
    options: dict[str, Any] = field(default_factory=dict)
    """What else changes which tokens a prompt has."""
    manner: dict[str, Any] = field(default_factory=dict)
    """What changes the states that text encoders make of the same tokens, and where they are made."""
    is_one_text: bool = True
    """Whether a second text encoder got the same text as the first."""

    @classmethod
    def of(cls, layout: Layout, arguments: dict[str, Any]) -> "Encoded":
        """Return what the `arguments` of `encode_prompt` say."""
        given = [arguments.get(name) or arguments.get("prompt") for name in layout.prompt_arguments]
        texts = tuple((text,) if isinstance(text, str) else tuple(text) for text in given if text is not None)
        return cls(
            texts if len(texts) == len(given) and arguments.get("prompt_embeds") is None else (),
            arguments.get("do_classifier_free_guidance"),
            bool(arguments.get("clean_caption", not arguments.get("skip_text_cleaning", True))),
            {name: arguments[name] for name in layout.options if name in arguments},
            {name: arguments[name] for name in ("device", "clip_skip", "lora_scale") if name in arguments},
            arguments.get("prompt_2") in (None, "", [], arguments.get("prompt")),
        )


def prompts_of_images(
    pipe: object, layout: Layout, prompts: Sequence[Prompt], encoded: Sequence[Encoded], images: int
) -> list[Prompt]:
    """Return the prompt of each image, as the pipeline has just encoded it.

    `encoded` are the calls of `encode_prompt` for this run: the first has the prompts, a second one the negative
    prompts of a pipeline that asks for both apart. Where the pipeline cleans its text up, as PixArt does, the concepts
    are looked for in the cleaned text. Embeddings that were made elsewhere are not compared.

    Raises `PromptError` if the pipeline encodes another text than the one that is guided.
    """
    guided = [prompt for prompt in prompts for _ in range(images // len(prompts))]
    if not encoded or not all(call.texts for call in encoded):
        return guided
    unweighted = next((prompt for prompt in prompts if prompt.weighted), None)
    if unweighted is not None:
        raise PromptError(
            f"Expected the embeddings of {unweighted.weighted!r}, got its text, which has no weights. Call the "
            "pipeline with **heedful.guidance.embeddings_of(pipe, prompts)."
        )
    first = encoded[0]
    has_options = any(value != _default(pipe, name) for name, value in first.options.items())
    for texts in first.texts:
        each = [text for text in texts for _ in range(images // len(texts))]
        if len(each) != images:
            raise _other_text(list(texts), prompts)
        rewritten = layout.rewritten
        read = each if rewritten is None else [rewritten(pipe, text, first.clean_caption) for text in each]
        for item, (prompt, written, text) in enumerate(zip(guided, each, read, strict=True)):
            if text == prompt.text and not has_options:
                continue
            if text != prompt.text and (rewritten is None or rewritten(pipe, written, False) != prompt.text):
                raise _other_text(list(texts), prompts)
            guided[item] = _read_again(pipe, layout, prompt, text, first.options)
    return guided


def _default(pipe: Any, name: str) -> Any:
    """Return what an option of the pipeline's call is unless it is given."""
    return inspect.signature(pipe.__call__).parameters[name].default


def _read_again(pipe: object, layout: Layout, prompt: Prompt, text: str, options: dict[str, Any]) -> Prompt:
    """Return `prompt` with its concepts in `text`, which the pipeline made of it, under the options of its call."""
    try:
        return layout.read(pipe, text, [concept.written for concept in prompt.concepts], options)
    except PromptError as error:
        raise PromptError(
            f"Expected the concepts of {prompt.text!r} in what the pipeline made of it, got {text!r}. {error} "
            "Or pass clean_caption=False to the pipeline."
        ) from error


def _other_text(texts: list[str], prompts: Sequence[Prompt]) -> PromptError:
    return PromptError(
        f"Expected the pipeline to be called with the text that is guided, {[prompt.text for prompt in prompts]}, got "
        f"{texts}. Give heedful.guide and the pipeline the same prompts, in the same order; where some words are "
        "marked, give the pipeline the text without marks: guided.prompts[0].text."
    )


def is_empty_text(pipe: object, rows: Tensor) -> bool:
    """Return whether `rows` are what the text encoder of a hand-written loop makes of the empty prompt."""
    encoder, tokenizer = (getattr(pipe, name, None) for name in ("text_encoder", "tokenizer"))
    if encoder is None or tokenizer is None or rows.shape[1] > tokenizer.model_max_length:
        return False
    ids = tokenizer("", padding="max_length", max_length=rows.shape[1], truncation=True, return_tensors="pt").input_ids
    with torch.no_grad():
        empty = encoder(ids.to(encoder.device))[0].to(rows)
    return empty.shape[1:] == rows.shape[1:] and bool(torch.isclose(rows, empty, rtol=1e-3, atol=1e-3).all())
