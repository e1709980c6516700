"""Transformers: PixArt (cross-attention), Stable Diffusion 3 and FLUX (joint attention).

Knows where their text is. Knows nothing of reading it. Nobody has published which of their blocks are best read; what
is read unless something else is asked for is the first half of them, which costs half of a forward and says where
things are to be: the order of the paper on FOCUS (arXiv 2510.02315), which reads FLUX's two-stream blocks, the first
third.
"""

from typing import Any

from diffusers import FluxTransformer2DModel, PixArtTransformer2DModel, SD3Transformer2DModel
from torch import Tensor

from heedful.attention.layout import Layout
from heedful.attention.sites import Site, SiteSelection, Size
from heedful.errors import UnsupportedPipeline

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
    """Return height and width of FLUX's packed latents, of which only the positions of the cells tell."""
    ids: Tensor = arguments["img_ids"]
    height, width = (int(ids[..., axis].max()) + 1 for axis in (1, 2))
    cells = arguments["hidden_states"].shape[1]
    if height * width != cells:
        raise UnsupportedPipeline(
            f"Expected latents of one image, of {height}x{width} cells, got {cells} cells. Pipelines that put other "
            "images beside them (FLUX Kontext, Redux by latents) cannot be read yet."
        )
    return height, width


CROSS_ATTENTION_TRANSFORMER = Layout(
    name="transformer with cross-attention (PixArt-alpha, PixArt-Sigma)",
    denoisers=(PixArtTransformer2DModel,),
    find_sites=_cross_sites,
    latents="hidden_states",
    text="encoder_hidden_states",
    usual_sites=_FIRST_HALF,
)

STABLE_DIFFUSION_3 = Layout(
    name="transformer with joint attention (Stable Diffusion 3 and 3.5)",
    denoisers=(SD3Transformer2DModel,),
    find_sites=_joint_sites,
    latents="hidden_states",
    text="encoder_hidden_states",
    text_place="after image",
    usual_sites=_FIRST_HALF,
)

FLUX = Layout(
    name="transformer with joint attention over packed latents (FLUX.1)",
    denoisers=(FluxTransformer2DModel,),
    find_sites=_flux_sites,
    latents="hidden_states",
    text="encoder_hidden_states",
    text_place="before image",
    packed_size=_flux_size,
    times=1000.0,
    usual_sites=_FIRST_HALF,
)
