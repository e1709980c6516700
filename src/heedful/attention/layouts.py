"""Which families of denoisers heedful can read, and which of them a denoiser belongs to.

A new family is one more `Layout` in the list.
"""

from dataclasses import replace

from torch import nn

from heedful.attention.layout import Layout
from heedful.attention.one_stream import COGVIEW_4, LUMINA_2, PRX, Z_IMAGE
from heedful.attention.sites import Site, SiteSelection
from heedful.attention.transformers import HUNYUAN_DIT, PIXART, SANA, WAN
from heedful.attention.two_streams import (
    AURA_FLOW,
    BRIA,
    CHROMA,
    FLUX,
    FLUX_2,
    HUNYUAN_IMAGE,
    LONGCAT_IMAGE,
    OVIS_IMAGE,
    QWEN_IMAGE,
    STABLE_DIFFUSION_3,
)
from heedful.attention.unets import CROSS_ATTENTION_UNET
from heedful.errors import UnsupportedPipeline

LAYOUTS = (
    CROSS_ATTENTION_UNET,
    PIXART,
    SANA,
    HUNYUAN_DIT,
    STABLE_DIFFUSION_3,
    FLUX,
    FLUX_2,
    QWEN_IMAGE,
    CHROMA,
    BRIA,
    OVIS_IMAGE,
    LONGCAT_IMAGE,
    AURA_FLOW,
    HUNYUAN_IMAGE,
    Z_IMAGE,
    LUMINA_2,
    COGVIEW_4,
    PRX,
    WAN,
)


def find_denoiser(pipe: object) -> nn.Module | None:
    """Return the U-Net or transformer of a pipeline, or None if it has neither."""
    # compared with None: whether a compiled module is true cannot be asked
    parts = (getattr(pipe, name, None) for name in ("unet", "transformer"))
    return next((part for part in parts if part is not None), None)


def find_denoisers(pipe: object) -> tuple[nn.Module, ...]:
    """Return the denoisers that make the steps of a pipeline in turn: that of `find_denoiser`, and a second if any."""
    parts = (find_denoiser(pipe), getattr(pipe, "transformer_2", None))
    return tuple(part for part in parts if part is not None)


def uncompiled(denoiser: nn.Module) -> nn.Module:
    """Return the module that `torch.compile` was given, or `denoiser` itself if it is not compiled."""
    return getattr(denoiser, "_orig_mod", denoiser)


def is_compiled(denoiser: nn.Module) -> bool:
    """Return whether `denoiser`, or a part of it, runs as compiled code."""
    parts = (getattr(module, "_compiled_call_impl", None) for module in denoiser.modules())
    return uncompiled(denoiser) is not denoiser or any(part is not None for part in parts)


def layout_of(denoiser: nn.Module) -> Layout:
    """Return the layout of `denoiser`; raises `UnsupportedPipeline` for a family that heedful does not know."""
    # a class of diffusers that is derived from another is a family of its own, such as DreamLite's U-Net
    own = next((kind for kind in type(uncompiled(denoiser)).__mro__ if _is_of_diffusers(kind)), None)
    for layout in LAYOUTS:
        if own is not None and own.__name__ in layout.denoisers:
            return layout
    known = "; ".join(layout.name for layout in LAYOUTS)
    raise UnsupportedPipeline(
        f"Expected a denoiser of a family whose attention heedful can read ({known}), got {type(denoiser).__name__}. "
        "Use a pipeline with such a denoiser."
    )


def _is_of_diffusers(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "diffusers"


def find_sites(denoiser: nn.Module) -> tuple[Site, ...]:
    """Return every site of `denoiser` in the order in which its forward passes them.

    Raises `UnsupportedPipeline` for a family that heedful does not know.
    """
    return layout_of(denoiser).find_sites(uncompiled(denoiser))


def published_sites(denoiser: nn.Module) -> dict[str, SiteSelection]:
    """Return the blocks of `denoiser` that somebody found to show concepts best, by who found them; empty if nobody.

    Those that are read unless others are asked for come first. Raises `UnsupportedPipeline` for a family that heedful
    does not know.
    """
    usual, sites = layout_of(denoiser).usual or (), find_sites(denoiser)
    found = {one.source: one.names(sites) for one in sorted(usual, key=lambda one: not one.is_default)}
    return {source: SiteSelection(names=tuple(names)) for source, names in found.items() if names}


def by_words(denoiser: nn.Module, sites: SiteSelection) -> SiteSelection:
    """Return `sites` by the rows of the text, where joint attention has any that can be read; else as they are.

    These rows say where each word looks, which shows a concept better than which words each cell looks at. A selection
    that says which rows it wants stays. Raises `UnsupportedPipeline` for a family that heedful does not know.
    """
    shows_words = sites.rows is None and layout_of(denoiser).shows_words
    return replace(sites, rows="text") if shows_words else sites
