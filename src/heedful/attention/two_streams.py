"""Transformers in which image and text look at each other in blocks with weights of their own for each, and after them
in blocks with the same weights for both: Stable Diffusion 3, FLUX and its relatives.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from heedful.attention.layout import Layout
from heedful.attention.sites import Size
from heedful.attention.texts import (
    alone,
    chat,
    chat_with_system,
    filled_after_images,
    filled_template,
    reader,
    system_chat,
    tokenizer_of,
    unquoted,
)
from heedful.attention.usual_sites import Usual, in_blocks
from heedful.errors import PromptTooLong, UnsupportedPipeline
from heedful.prompts import Prompt, Tokenizer


def _size_by_ids(arguments: dict[str, Any]) -> Size:
    """Return height and width of packed latents; `img_ids` says for each cell which image it is of, and where."""
    ids: Tensor = arguments["img_ids"]
    ids = ids[0] if ids.ndim == 3 else ids
    own = ids[(ids[:, 0] == ids[0, 0]).int().cumprod(0).bool()]  # the cells of another image have another first number
    height, width = (int(own[:, axis].max() - own[:, axis].min()) + 1 for axis in (1, 2))
    if height * width != len(own):
        raise UnsupportedPipeline(
            f"Expected latents that begin with those of one image, of {height}x{width} cells, got {len(own)} cells of "
            "the first image. This pipeline packs them in an order that heedful does not know."
        )
    return height, width


def _read_twice(pipe: object, text: str, concepts: Sequence[str] | None, options: Mapping[str, Any]) -> Prompt:
    """Return the prompt as Stable Diffusion 3 reads it: by CLIP and by T5; a concept has its tokens of both.

    CLIP cuts off what stands beyond its 77 tokens. A word there has those of T5 alone.
    """
    clip, long = tokenizer_of(pipe, "tokenizer"), getattr(pipe, "tokenizer_3", None)
    if long is None:
        return _read_by_clip(text, clip, concepts)
    shift = getattr(pipe, "tokenizer_max_length", clip.model_max_length)
    # the first chunk of a text in chunks is what is left of it where it is cut off: start, tokens, end
    prompt = Prompt.parse(text, clip, concepts, chunked=True).within(shift)
    return prompt.beside(Prompt.parse(text, long, concepts), shift=shift)


def _read_by_clip(text: str, clip: Tokenizer, concepts: Sequence[str] | None) -> Prompt:
    """Return the prompt as CLIP reads it; raises `PromptTooLong` with the remedies of this pipeline."""
    try:
        return Prompt.parse(text, clip, concepts)
    except PromptTooLong as error:
        message, _, _ = str(error).partition(" Shorten the prompt")
        raise PromptTooLong(
            f"{message} Shorten the prompt, or load Stable Diffusion 3 with its T5, which reads longer ones."
        ) from error


STABLE_DIFFUSION_3 = Layout(
    name="Stable Diffusion 3 and 3.5",
    denoisers=("SD3Transformer2DModel",),
    find_sites=in_blocks("transformer_blocks.attn"),
    read_prompt=_read_twice,
    prompt_arguments=("prompt", "prompt_3"),
    residuals=("block_controlnet_hidden_states",),
    text_place="after image",
    usual=(Usual(stem="transformer_blocks", first=9, last=9, of=24, source="Seg4Diff, arXiv 2509.18096"),),
)

FLUX = Layout(
    name="FLUX.1",
    denoisers=("FluxTransformer2DModel",),
    find_sites=in_blocks("transformer_blocks.attn", "single_transformer_blocks.attn", patch=None),
    read_prompt=reader("tokenizer_2"),  # its denoiser sees no token of CLIP's
    prompt_arguments=("prompt_2",),
    guidance="apart",
    residuals=("controlnet_block_samples", "controlnet_single_block_samples"),
    text_place="before image",
    form="packed",
    packed_size=_size_by_ids,
    times=(0.0, 1000.0),
    usual=(
        Usual(stem="transformer_blocks", first=15, last=18, of=19, source="ConceptAttention, arXiv 2502.04320"),
        # behind all of the others, so a pass that ends there costs about twice; nobody has published steering by them
        Usual(
            stem="single_transformer_blocks",
            first=21,
            last=24,
            of=38,
            source="FreeFlux, arXiv 2503.16153",
            is_default=False,
        ),
    ),
)

FLUX_2 = replace(
    FLUX,
    name="FLUX.2",
    denoisers=("Flux2Transformer2DModel",),
    read_prompt=reader("tokenizer", template=system_chat),
    other_readings={
        name: reader("tokenizer", template=chat(add_generation_prompt=True, enable_thinking=False))
        for name in (
            "Flux2KleinPipeline",
            "Flux2KleinInpaintPipeline",
            "Flux2KleinModularPipeline",
            "Flux2KleinBaseModularPipeline",
        )
    },
    rewritten=lambda pipe, text, clean_caption: text.replace("[IMG]", ""),
    prompt_arguments=("prompt",),
    residuals=(),
    usual=(),
)

CHROMA = replace(
    FLUX,
    name="Chroma",
    denoisers=("ChromaTransformer2DModel",),
    read_prompt=reader("tokenizer"),
    prompt_arguments=("prompt",),
)

BRIA = replace(
    CHROMA,
    name="Bria 3",
    denoisers=("BriaTransformer2DModel",),
    guidance="doubled",
    times=(0.0, 1.0),
    usual=(),
)

OVIS_IMAGE = replace(
    CHROMA,
    name="Ovis-Image",
    denoisers=("OvisImageTransformer2DModel",),
    read_prompt=reader("tokenizer", template=chat_with_system),
    usual=(),
)

LONGCAT_IMAGE = replace(
    CHROMA,
    name="LongCat-Image",
    denoisers=("LongCatImageTransformer2DModel",),
    read_prompt=reader("tokenizer", template=alone, change=unquoted),
    usual=(),
)

AURA_FLOW = Layout(
    name="AuraFlow",
    denoisers=("AuraFlowTransformer2DModel",),
    find_sites=in_blocks("joint_transformer_blocks.attn", "single_transformer_blocks.attn"),
    read_prompt=reader("tokenizer"),
    text_place="before image",
    registers="register_tokens",
    times=(0.0, 1000.0),
)


def _size_by_shapes(arguments: dict[str, Any]) -> Size:
    """Return height and width of packed latents; `img_shapes` has frames, height and width of each image of a row.

    Where rows have one image each, some pipelines leave the inner list out.
    """
    first = arguments["img_shapes"][0]
    frames, height, width = first if isinstance(first[0], int) else first[0]
    if frames != 1:
        raise UnsupportedPipeline(
            f"Expected one image per row, got {frames} frames or layers. Use a pipeline of docs/pipelines.md."
        )
    return height, width


def _masked_end(mask: str) -> Callable[[dict[str, Any], int], int]:
    """Return a `Layout.text_end` for text whose mask is the argument `mask`; without one, the whole text is meant."""

    def end(arguments: dict[str, Any], row: int) -> int:
        given = arguments.get(mask)
        return arguments["encoder_hidden_states"].shape[1] if given is None else int(given[row].bool().sum())

    return end


QWEN_IMAGE = Layout(
    name="Qwen-Image",
    denoisers=("QwenImageTransformer2DModel",),
    find_sites=in_blocks("transformer_blocks.attn", patch=None),
    read_prompt=reader("tokenizer", template=filled_template),
    other_readings={
        name: reader("tokenizer", template=filled_after_images)
        for name in ("QwenImageEditPlusPipeline", "QwenImageEditPlusModularPipeline")
    },
    text_place="before image",
    text_end=_masked_end("encoder_hidden_states_mask"),
    form="packed",
    packed_size=_size_by_shapes,
    row_lists=("img_shapes",),
    channels="in_channels",  # its output channels are those of one of the four pixels in a cell
    guidance="apart",
    residuals=("controlnet_block_samples",),
    times=(0.0, 1000.0),
)


def _quoted_text(arguments: dict[str, Any], row: int) -> int:
    """Return how many tokens of ByT5, which reads what stands in quotation marks, stand before those of the prompt."""
    mask = arguments.get("encoder_attention_mask_2")
    return 0 if mask is None else int(mask[row].bool().sum())


HUNYUAN_IMAGE = Layout(
    name="HunyuanImage 2.1",
    denoisers=("HunyuanImageTransformer2DModel",),
    find_sites=in_blocks("transformer_blocks.attn", "single_transformer_blocks.attn"),
    read_prompt=reader("tokenizer", template=filled_template),
    text=("encoder_hidden_states", "encoder_hidden_states_2"),
    text_place="after image",
    text_shift=_quoted_text,
    guidance="apart",
)
