"""Which attention modules of a denoiser are read: by their names, blocks and map sizes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal

from heedful.errors import SettingsError

Block = Literal["down", "mid", "up", "transformer"]
"""A part of a U-Net; a transformer has no parts, so `SiteSelection.depth` chooses among its blocks."""

Rows = Literal["image", "text"]
"""Which side of joint attention is read: how image positions divide among text tokens, as in cross-attention, or how
text tokens divide among image positions. Cross-attention has the first alone."""

Size = tuple[int, int]
"""Height and width, in cells of the latents or of a map."""


@dataclass(frozen=True)
class Site:
    """One attention module of a denoiser in which image positions look at text tokens."""

    name: str
    """Its dotted name in the denoiser, such as `up_blocks.1.attentions.0.transformer_blocks.0.attn2`."""
    block: Block
    """The part of the denoiser in which it stands."""
    scale: int
    """How many cells of the latents one cell of its map covers, along a side: 1, 2, 4, 8."""
    self_attention: str | None = None
    """Dotted name of the module next to it in which image positions look at each other, on the same grid; None if there
    is none that can be told apart, as in joint attention."""
    rows: Rows = "image"
    """Which side of joint attention is read."""

    def map_size(self, latents: Size) -> Size:
        """Return height and width of its maps for latents of the size `latents`; odd sizes round up."""
        height, width = latents
        return -(-height // self.scale), -(-width // self.scale)


@dataclass(frozen=True, kw_only=True)
class SiteSelection:
    """A choice of sites as data: a site is read if it passes every condition that is not None.

    Stable Diffusion's published methods read `SiteSelection(scale=4)`: 16x16 maps of 64x64 latents.
    """

    blocks: tuple[Block, ...] = ("down", "mid", "up", "transformer")
    """Parts of the denoiser."""
    scale: int | None = None
    """Cells of the latents per cell of the map, along a side; the same sites at every image size."""
    size: int | None = None
    """Short side of the map in cells; other sites at another image size."""
    names: tuple[str, ...] | None = None
    """Shell patterns, one of which the name matches: `up_blocks.1.*`."""
    depth: tuple[float, float] | None = None
    """A share of the denoiser's sites in the order of its forward: (0, 0.5) is the first half of them."""
    coarsest: bool = False
    """Only the sites with the fewest cells, of those that pass the other conditions: among the up blocks of a U-Net,
    the first that looks at the text, whatever its size is."""
    rows: Rows | None = None
    """Which side of joint attention is read; None: "image". Cross-attention has no "text"."""

    def choose(self, sites: Sequence[Site], latents: Size) -> tuple[Site, ...]:
        """Return those of `sites` that are wanted for latents of the size `latents`, in the same order."""
        low, high = self.depth or (0.0, 1.0)
        deep = [site for index, site in enumerate(sites) if low * len(sites) <= index < high * len(sites)]
        wanted = tuple(site for site in deep if self._wants(site, latents))
        if self.coarsest:
            scale = max((site.scale for site in wanted), default=1)
            wanted = tuple(site for site in wanted if site.scale == scale)
        return wanted if self.rows is None else tuple(replace(site, rows=self.rows) for site in wanted)

    def _wants(self, site: Site, latents: Size) -> bool:
        return (
            site.block in self.blocks
            and self.scale in (None, site.scale)
            and self.size in (None, min(site.map_size(latents)))
            and (self.names is None or any(fnmatchcase(site.name, pattern) for pattern in self.names))
        )


Sites = SiteSelection | Callable[[Site], bool]
"""A selection, or your own predicate of a site."""


def one_grid(chosen: Sequence[Site], latents: Size) -> Size:
    """Return the size of the maps of all `chosen` sites; raises `SettingsError` if they have several."""
    grids = sorted({site.map_size(latents) for site in chosen})
    if len(grids) > 1:
        listed = ", ".join(f"{height}x{width}" for height, width in grids)
        raise SettingsError(
            f"Expected sites of one map size to read self-attention, whose rows are maps themselves, got {listed}. "
            "Choose one scale, such as SiteSelection(scale=4)."
        )
    return grids[0]


def choose_sites(wanted: Sites, sites: Sequence[Site], latents: Size) -> tuple[Site, ...]:
    """Return the `wanted` ones of `sites` for latents of the size `latents`, in the same order.

    Raises `SettingsError`, which says what there is, if none is left.
    """
    if isinstance(wanted, SiteSelection):
        chosen = wanted.choose(sites, latents)
    else:
        chosen = tuple(site for site in sites if wanted(site))
    if not chosen:
        there = sorted({(site.block, site.scale, site.map_size(latents)) for site in sites})
        listed = ", ".join(f"{block} scale {scale} ({height}x{width})" for block, scale, (height, width) in there)
        raise SettingsError(
            f"Expected at least one attention site, but {wanted} leaves none of this denoiser's. "
            f"It has, for latents of {latents[0]}x{latents[1]}: {listed}. Choose among these."
        )
    return chosen
