"""The embeddings of prompts with weights, which take the place of the text in a pipeline's call. compel makes them.

The embedding of a token with the weight w is `empty + w (embedding - empty)`, where `empty` is that of the empty prompt
at the same position. Below 1, compel also mixes the embeddings of the whole prompt with those of the prompt in which
the words of that weight are masked, in the proportion 1 : tan(pi/2 (1 - w)). The text, its tokens and so the columns of
the maps are those of the prompt without weights.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from heedful.errors import PromptError, UnsupportedPipeline, require
from heedful.prompts import Prompt


def check_weights(pipe: object) -> None:
    """Raise `UnsupportedPipeline` unless CLIP alone reads the text: Stable Diffusion 1 and 2, and SDXL."""
    first, second, third = (getattr(pipe, f"text_encoder{number}", None) for number in ("", "_2", "_3"))
    is_clip = isinstance(first, CLIPTextModel) and third is None
    if not is_clip or not (second is None or isinstance(second, CLIPTextModelWithProjection)):
        raise UnsupportedPipeline(
            "Expected a pipeline whose text CLIP alone reads (Stable Diffusion 1 and 2, SDXL) for weights in the "
            f"prompt, got {type(pipe).__name__}. Leave the weights out, or pass it embeddings of your own."
        )


def embeddings_of(pipe: Any, prompts: Prompt | Sequence[Prompt], negative_prompt: str = "") -> dict[str, Tensor]:
    """Return the embeddings of prompts with weights, as arguments of the pipeline's call.

        prompt = parse_prompt(pipe, "a (red)1.4 cat and a blue++ clock", weights=True)
        with heedful.guide(pipe, prompt):
            pipe(**embeddings_of(pipe, prompt))

    `negative_prompt` may have weights too. Embeddings are those of the text encoder: for Stable Diffusion of shape
    (prompt, token, channel), for SDXL with the pooled ones of shape (prompt, channel), which know no weights. Without a
    weight they are what the pipeline makes of the text. Raises `UnsupportedPipeline`, `MissingExtra` without compel
    (the extra `weights`), and `PromptError` if compel reads other tokens than the pipeline.
    """
    check_weights(pipe)
    compel = require("compel", "weights")
    is_xl = getattr(pipe, "text_encoder_2", None) is not None
    encode = (compel.CompelForSDXL if is_xl else compel.CompelForSD)(
        pipe,
        textual_inversion_manager=compel.DiffusersTextualInversionManager(pipe),
        device=str(pipe._execution_device),
    )
    asked = [prompts] if isinstance(prompts, Prompt) else list(prompts)
    written = [prompt.weighted or prompt.text for prompt in asked]
    with torch.no_grad():
        made = encode(written, negative_prompt=[negative_prompt] * len(asked))
    _check_tokens(pipe, asked, written, made.tokenization_info)
    negative, negative_pooled = made.negative_embeds, made.negative_pooled_embeds
    if not negative_prompt and getattr(pipe.config, "force_zeros_for_empty_prompt", False):  # as SDXL does by itself
        negative, negative_pooled = torch.zeros_like(negative), torch.zeros_like(negative_pooled)
    found = {"prompt_embeds": made.embeds, "negative_prompt_embeds": negative}
    if is_xl:
        found |= {"pooled_prompt_embeds": made.pooled_embeds, "negative_pooled_prompt_embeds": negative_pooled}
    return found


def _check_tokens(pipe: Any, prompts: Sequence[Prompt], written: Sequence[str], read: dict[str, Any]) -> None:
    """Raise `PromptError` unless compel has read the tokens that the pipeline makes of the text without weights."""
    for number, name in (("", "main_positive"), ("_2", "style_positive")):
        tokenizer = getattr(pipe, f"tokenizer{number}", None)
        if tokenizer is None or name not in read:
            continue
        for prompt, text, tokens in zip(prompts, written, read[name], strict=True):
            plain = pipe.maybe_convert_prompt(prompt.text, tokenizer)
            expected = tokenizer(plain, padding="max_length", truncation=True, max_length=tokenizer.model_max_length)
            if tokens.flatten().tolist() != expected.input_ids:
                raise PromptError(
                    f"Expected weights that leave the tokens of {prompt.text!r} as they are, got {text!r}, of which "
                    "compel makes others. Put spaces between words with and without a weight."
                )
