"""Transformers: PixArt (cross-attention), Stable Diffusion 3 and FLUX (joint attention).

Where their text is, and who reads it. Nobody has published which of their blocks are best read; what
is read unless something else is asked for is the first half of them, which costs half of a forward and says where
things are to be: the order of the paper on FOCUS (arXiv 2510.02315), which reads FLUX's two-stream blocks, the first
third.
"""

from collections.abc import Sequence
from typing import Any

from diffusers import FluxTransformer2DModel, PixArtTransformer2DModel, SD3Transformer2DModel
from torch import Tensor

from heedful.attention.layout import Layout
from heedful.attention.sites import Site, SiteSelection, Size
from heedful.attention.texts import tokenizer_of
from heedful.errors import PromptTooLong, UnsupportedPipeline
from heedful.prompts import Prompt

_FIRST_HALF = SiteSelection(depth=(0.0, 0.5))


def _cross_sites(transformer: Any) -> tuple[Site, ...]:
    """Return the cross-attention of every block; one cell of its maps is a patch."""
    patch = transformer.config.patch_size
    blocks = range(len(transformer.transformer_blocks))
    return tuple(
        Site(f"transformer_blocks.{i}.attn2", "transformer", patch, f"transformer_blocks.{i}.attn1") for i in blocks
    )


def _joint_sites(transformer: Any) -> tuple[Site, ...]:
    """Return the joint attention of every block; one cell of its maps is a patch."""
    patch = transformer.config.patch_size
    blocks = range(len(transformer.transformer_blocks))
    return tuple(Site(f"transformer_blocks.{i}.attn", "transformer", patch) for i in blocks)


def _flux_sites(transformer: Any) -> tuple[Site, ...]:
    """Return the joint attention of the two-stream and of the one-stream blocks; the pipeline cuts the patches."""
    names = [f"transformer_blocks.{i}.attn" for i in range(len(transformer.transformer_blocks))]
    names += [f"single_transformer_blocks.{i}.attn" for i in range(len(transformer.single_transformer_blocks))]
    return tuple(Site(name, "transformer", 1) for name in names)


def _flux_size(arguments: dict[str, Any]) -> Size:
    """Return height and width of FLUX's packed latents; `img_ids` gives both, for each cell."""
    ids: Tensor = arguments["img_ids"]
    height, width = (int(ids[..., axis].max()) + 1 for axis in (1, 2))
    cells = arguments["hidden_states"].shape[1]
    if height * width != cells or ids[..., 0].any():  # the cells of another image have another first number
        raise UnsupportedPipeline(
            f"Expected latents of one image, of {height}x{width} cells, got {cells} cells. Pipelines that put other "
            "images next to them (FLUX Kontext, Redux by latents) cannot be read yet."
        )
    return height, width


def _read_lower_case(pipe: Any, text: str, concepts: Sequence[str] | None) -> Prompt:
    """Return the prompt as PixArt's T5 reads it: in lower case."""
    return Prompt.parse(text.lower().strip(), tokenizer_of(pipe, "tokenizer"), concepts)


def _rewritten(pipe: Any, text: str, clean_caption: bool) -> str:
    """Return `text` as PixArt cleans it up: in lower case; with `clean_caption`, without HTML, names, URLs and more."""
    return pipe._text_preprocessing(text, clean_caption=clean_caption)[0]


def _read_twice(pipe: Any, text: str, concepts: Sequence[str] | None) -> Prompt:
    """Return the prompt as Stable Diffusion 3 reads it: by CLIP and by T5; a concept has its tokens of both."""
    clip = tokenizer_of(pipe, "tokenizer")
    try:
        prompt = Prompt.parse(text, clip, concepts)
    except PromptTooLong as error:
        message, _, _ = str(error).partition(" Shorten the prompt")
        raise PromptTooLong(
            f"{message} Shorten the prompt: Stable Diffusion 3 reads it by CLIP and by T5, and CLIP would cut it off."
        ) from error
    long = getattr(pipe, "tokenizer_3", None)
    if long is None:
        return prompt
    shift = getattr(pipe, "tokenizer_max_length", clip.model_max_length)
    return prompt.beside(Prompt.parse(text, long, concepts), shift=shift)


def _read_t5(pipe: Any, text: str, concepts: Sequence[str] | None) -> Prompt:
    """Return the prompt as FLUX's T5 reads it; its denoiser sees no token of CLIP's."""
    return Prompt.parse(text, tokenizer_of(pipe, "tokenizer_2"), concepts)


CROSS_ATTENTION_TRANSFORMER = Layout(
    name="transformer with cross-attention (PixArt-alpha, PixArt-Sigma)",
    denoisers=(PixArtTransformer2DModel,),
    find_sites=_cross_sites,
    latents="hidden_states",
    text="encoder_hidden_states",
    read_prompt=_read_lower_case,
    rewritten=_rewritten,
    usual_sites=_FIRST_HALF,
)

STABLE_DIFFUSION_3 = Layout(
    name="transformer with joint attention (Stable Diffusion 3 and 3.5)",
    denoisers=(SD3Transformer2DModel,),
    find_sites=_joint_sites,
    latents="hidden_states",
    text="encoder_hidden_states",
    read_prompt=_read_twice,
    prompt_arguments=("prompt", "prompt_3"),
    residuals=("block_controlnet_hidden_states",),
    text_place="after image",
    usual_sites=_FIRST_HALF,
)

FLUX = Layout(
    name="transformer with joint attention over packed latents (FLUX.1)",
    denoisers=(FluxTransformer2DModel,),
    find_sites=_flux_sites,
    latents="hidden_states",
    text="encoder_hidden_states",
    read_prompt=_read_t5,
    prompt_arguments=("prompt_2",),
    guidance="apart",
    residuals=("controlnet_block_samples", "controlnet_single_block_samples"),
    text_place="before image",
    packed_size=_flux_size,
    times=1000.0,
    usual_sites=_FIRST_HALF,
)
