"""Transformers in which image and text are one sequence, and share their weights: Z-Image, Lumina 2, CogView4, PRX."""

from typing import Any

from heedful.attention.layout import Layout
from heedful.attention.texts import chat, reader, system_prompt
from heedful.attention.usual_sites import in_blocks

Z_IMAGE = Layout(
    name="Z-Image",
    denoisers=("ZImageTransformer2DModel",),
    find_sites=in_blocks("layers.attention", patch="all_patch_size"),  # in its refiners, image and text are apart
    read_prompt=reader("tokenizer", template=chat(add_generation_prompt=True, enable_thinking=True)),
    latents="x",
    text=("cap_feats",),
    text_place="after image",
    multiple=32,
    form="listed",
    row_lists=("x", "cap_feats"),
    guidance="condition first",
    residuals=("controlnet_block_samples",),
    residuals_have_text=True,
    time="t",
    times=(1000.0, -1000.0),
    sign=-1,
)


def _end_of_text(arguments: dict[str, Any], row: int) -> int:
    return int(arguments["encoder_attention_mask"][row].sum())


LUMINA_2 = Layout(
    name="Lumina 2",
    denoisers=("Lumina2Transformer2DModel",),
    find_sites=in_blocks("layers.attn"),
    read_prompt=reader("tokenizer", template=system_prompt),
    options=("system_prompt",),
    text_place="before image",
    text_end=_end_of_text,
    is_ragged=True,
    guidance="apart",
    times=(1000.0, -1000.0),
    sign=-1,
)

COGVIEW_4 = Layout(
    name="CogView4",
    denoisers=("CogView4Transformer2DModel",),
    find_sites=in_blocks("transformer_blocks.attn1"),
    read_prompt=reader("tokenizer"),
    text_place="before image",
    guidance="apart",
)

PRX = Layout(
    name="PRX",
    denoisers=("PRXTransformer2DModel",),
    find_sites=in_blocks("blocks.attention"),  # the image alone looks; its text is the same in every block
    read_prompt=reader("tokenizer"),
    rewritten=lambda pipe, text, clean_caption: pipe.text_preprocessor.clean_text(text) if clean_caption else text,
    text_place="before image",
    times=(0.0, 1000.0),
)
