"""Transformers whose image positions look at text in cross-attention: PixArt, Sana, HunyuanDiT, and Wan for videos."""

from collections.abc import Mapping, Sequence
from typing import Any

from heedful.attention.layout import Layout
from heedful.attention.texts import instructed, reader, tokenizer_of
from heedful.attention.usual_sites import in_blocks
from heedful.prompts import Prompt


def lower(text: str) -> str:
    """Return `text` in lower case and without the space around it."""
    return text.lower().strip()


def cleaned(pipe: Any, text: str, clean_caption: bool) -> str:
    """Return `text` as the pipeline cleans it up: in lower case; with `clean_caption`, without HTML, URLs and more."""
    return pipe._text_preprocessing(text, clean_caption=clean_caption)[0]


PIXART = Layout(
    name="PixArt-alpha, PixArt-Sigma",
    denoisers=("PixArtTransformer2DModel",),
    find_sites=in_blocks("transformer_blocks.attn2", self_attention="attn1"),
    read_prompt=reader("tokenizer", change=lower),
    rewritten=cleaned,
)

SANA = Layout(
    name="Sana",
    denoisers=("SanaTransformer2DModel",),
    find_sites=in_blocks("transformer_blocks.attn2"),  # its self-attention is linear, and has no maps
    read_prompt=reader("tokenizer", template=instructed, change=lower),
    options=("complex_human_instruction",),
    rewritten=cleaned,
    residuals=("controlnet_block_samples",),
)


def _read_twice(pipe: Any, text: str, concepts: Sequence[str] | None, options: Mapping[str, Any]) -> Prompt:
    """Return the prompt as HunyuanDiT reads it: by BERT, in 77 tokens, and behind it by T5."""
    first, second = (Prompt.parse(text, tokenizer_of(pipe, name), concepts) for name in ("tokenizer", "tokenizer_2"))
    return first.beside(second, shift=pipe.transformer.config.text_len)


HUNYUAN_DIT = Layout(
    name="HunyuanDiT",
    denoisers=("HunyuanDiT2DModel",),
    find_sites=in_blocks("blocks.attn2", self_attention="attn1"),
    read_prompt=_read_twice,
    text=("encoder_hidden_states", "encoder_hidden_states_t5"),
    residuals=("controlnet_block_samples",),
)


def _plain(pipe: Any, text: str, clean_caption: bool) -> str:
    """Return `text` as Wan's pipeline cleans it: without HTML entities and more than one space between words."""
    from diffusers.pipelines.wan import pipeline_wan

    return pipeline_wan.prompt_clean(text)


WAN = Layout(
    name="Wan",
    denoisers=("WanTransformer3DModel",),
    find_sites=in_blocks("blocks.attn2"),  # its self-attention looks across frames
    read_prompt=reader("tokenizer"),
    rewritten=_plain,
    form="frames",
    guidance="apart",
)
