"""Which blocks of a transformer are read unless others are asked for: those that somebody found to show things best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from heedful.attention.sites import Site, SiteSelection

FIRST_HALF = SiteSelection(depth=(0.0, 0.5))
"""Where nobody has published better blocks: it costs half of a forward, and says where things are to be."""


@dataclass(frozen=True, kw_only=True)
class Usual:
    """Blocks of one kind, by their numbers in the model for which they were published."""

    stem: str
    """The list of blocks in the denoiser, such as "transformer_blocks"."""
    first: int
    last: int
    of: int
    """How many such blocks that model has; in one with another number, blocks at the same depth are read."""
    source: str
    """Who found them: a paper or a repository."""
    is_default: bool = True
    """Whether they are read unless others are asked for."""

    def names(self, sites: Sequence[Site]) -> list[str]:
        """Return the names of those of `sites` that are meant, at least one; none if there are no such blocks."""
        own = [site.name for site in sites if site.name.startswith(f"{self.stem}.")]
        if not own:
            return []
        first, last = (number * len(own) // self.of for number in (self.first, self.last))
        return own[first : last + 1]


def usual_sites(usual: Sequence[Usual], sites: Sequence[Site]) -> SiteSelection:
    """Return the selection of the `usual` ones among `sites`, or of the first half if there are none."""
    names = [name for one in usual if one.is_default for name in one.names(sites)]
    return SiteSelection(names=tuple(names)) if names else FIRST_HALF


def in_blocks(
    *attentions: str, patch: str | None = "patch_size", self_attention: str | None = None
) -> Callable[[Any], tuple[Site, ...]]:
    """Return a `Layout.find_sites` for a transformer whose sites stand one in each of its blocks.

    - `attentions`: the lists of blocks in the order of the forward, and the site in each block:
      "transformer_blocks.attn".
    - `patch`: the number in its config that says how many cells of the latents a cell of a map covers; None if the
      pipeline cuts the patches, so that they are the cells.
    - `self_attention`: the site in each block where the image looks at itself, if there is one apart.
    """

    def find(transformer: Any) -> tuple[Site, ...]:
        size = 1 if patch is None else getattr(transformer.config, patch)
        scale = size if isinstance(size, int) else size[-1]
        return tuple(
            Site(
                f"{stem}.{index}.{attention}",
                "transformer",
                scale,
                None if self_attention is None else f"{stem}.{index}.{self_attention}",
            )
            for stem, attention in (one.split(".") for one in attentions)
            for index in range(len(transformer.get_submodule(stem)))
        )

    return find
