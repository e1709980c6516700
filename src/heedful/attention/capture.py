"""Reads chosen sites of a denoiser while it runs, and leaves no trace.

A pass is one call of the denoiser's forward: no counters, no state between passes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any, Literal

import torch
from diffusers.models.attention_dispatch import AttentionBackendName
from torch import Tensor, nn

from heedful.attention.intercept import held, one_block, replaced
from heedful.attention.layout import by_position
from heedful.attention.layouts import is_compiled, layout_of, uncompiled
from heedful.attention.maps import Maps
from heedful.attention.parts import attribute
from heedful.attention.sites import Rows, Site, Sites, SiteSelection, Size, choose_sites, one_grid
from heedful.attention.tap import MeanAttention, Tap, recomputed_attention
from heedful.errors import UnsupportedBackend, UnsupportedPipeline
from heedful.shapes import CellMaps, TokenMaps

Forward = Callable[..., Any]

AfterLast = Literal["go on", "detach", "stop"]
"""What a pass does once its last wanted site has been read: as usual, without gradients from there on, or nothing."""


class PassEnded(Exception):
    """The last wanted site has been read, and nothing after it is needed."""


class Record(Mapping[str, Tensor]):
    """What one pass of the denoiser showed: token maps by the name of their site, in the order of the forward.

    Each is (batch, token, height, width), mean over heads, in [0, 1], summing to 1 over the tokens in each cell; read
    by the rows of the text, its mean over the cells is 1 / tokens for each token (`word_attention`). The batch is the
    denoiser's, so with classifier-free guidance it holds both halves; a block whose attention is perturbed (PAG of
    Stable Diffusion 3) shows the first rows alone, which are not. The next pass replaces all of it.
    """

    def __init__(self) -> None:
        self._maps: dict[str, TokenMaps] = {}
        self._self_attention: CellMaps | None = None
        self._rows: Rows = "image"

    def __getitem__(self, name: str) -> TokenMaps:
        return self._maps[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._maps)

    def __len__(self) -> int:
        return len(self._maps)

    def __repr__(self) -> str:
        lines = (f"  {name}: {' x '.join(map(str, maps.shape))}" for name, maps in self.items())
        return "\n".join(["Record (batch x token x height x width)", *lines])

    def maps(self) -> Maps:
        """Return the mean over the sites, on the finest of their grids, of the rows that all of them show.

        The record must not be empty.
        """
        rows = min(map(len, self._maps.values()))
        mean = Maps.mean([maps[:rows] for maps in self._maps.values()])
        return replace(mean, self_attention=self._self_attention, rows=self._rows)

    def _add(self, share: CellMaps) -> None:
        """Add one site's share of the mean self-attention; the sites are not kept apart, which would be too large."""
        self._self_attention = share if self._self_attention is None else self._self_attention + share

    def _clear(self) -> None:
        self._maps.clear()
        self._self_attention = None


class Reader:
    """Reads chosen sites of one denoiser, one pass at a time; the denoiser is changed only during a pass.

    Raises `UnsupportedPipeline` for a denoiser whose family heedful does not know.
    """

    def __init__(self, denoiser: nn.Module, sites: Sites):
        self.layout = layout_of(denoiser)
        self._is_compiled = is_compiled(denoiser)
        self._denoiser = uncompiled(denoiser)
        self._wanted = sites
        self._sites = self.layout.find_sites(self._denoiser)

    def arguments(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the arguments of one call of the denoiser, all by name."""
        return self.layout.arguments(self._denoiser, *args, **kwargs)

    def run(
        self,
        forward: Forward,
        arguments: dict[str, Any],
        record: Record,
        *,
        after_last: AfterLast = "go on",
        self_attention: bool = False,
    ) -> Any:
        """Call `forward(**arguments)`, fill `record` with what the wanted sites show, and return the output.

        What the rest means, and what is raised: `reading`.
        """
        with self.reading(arguments, record, after_last=after_last, self_attention=self_attention) as once:
            return once(forward)

    @contextmanager
    def reading(
        self,
        arguments: dict[str, Any],
        record: Record,
        *,
        after_last: AfterLast = "go on",
        self_attention: bool = False,
    ) -> Iterator[Callable[[Forward], Any]]:
        """Open a pass, and yield what makes it: `once(forward)` calls `forward(**arguments)` and fills `record`.

        `after_last` says what comes after the last wanted site has been read: "stop" ends the forward there, and None
        is returned; "detach" goes on without gradients, and leaves them off.
        With `self_attention`, the self-attention next to each wanted site is read too, which runs before it.
        Blocks that are run again on the way back, to save memory, must be so before this closes: they are read again,
        in the same way, and the record keeps what it has.
        Raises `SettingsError` if no site is wanted, `UnsupportedBackend` if one computes its attention out of sight;
        for self-attention, also `SettingsError` if the sites have several map sizes, and `UnsupportedPipeline` if one
        has no self-attention next to it.
        """
        latents = self.layout.latents_size(arguments)
        chosen = choose_sites(self._wanted, self._sites, latents)
        record._clear()

        def keep(site: Site, attention: MeanAttention) -> None:
            if site.name not in record._maps:
                _check_queries(site, attention, latents)
                # -> (batch, token, query) -> (batch, token, height, width)
                record._maps[site.name] = attention.mT.unflatten(-1, site.map_size(latents))
                record._rows = site.rows
            if site is chosen[-1]:  # also where its block is run again, which must do as it did the first time
                if after_last == "stop":
                    raise PassEnded
                if after_last == "detach":
                    torch.set_grad_enabled(False)

        def add(site: Site, attention: MeanAttention) -> None:
            if site.name not in record._maps:
                record._add(attention.unflatten(-1, site.map_size(latents)) / len(chosen))

        taps = {site.name: self._tap(site, arguments, partial(keep, site)) for site in chosen}
        if self_attention:
            cells = prod(one_grid(chosen, latents))
            taps |= {_next_to(site): partial(Tap, cells, partial(add, site), recomputed_attention) for site in chosen}

        def once(forward: Forward) -> Any:
            try:
                return forward(**arguments)
            except PassEnded:
                return None

        with ExitStack() as stack:
            if self._is_compiled:  # compiled code cannot be looked into
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            for processor in self._out_of_sight(taps):
                stack.enter_context(held(processor, "_attention_backend", AttentionBackendName.NATIVE))
            for name, tap in taps.items():
                module = self._denoiser.get_submodule(name)
                stack.enter_context(replaced(module, "forward", _tapped(module, name, tap)))
            yield once

    def _out_of_sight(self, names: Iterable[str]) -> list[Any]:
        """Return the processors that choose a backend, their own or the one that is set for all, and must not here.

        Those of the sites that are read, because other backends show no probabilities; with gradients all of them,
        because some backends have no way back.
        """
        is_differentiated = torch.is_grad_enabled()
        parts = self._denoiser.modules() if is_differentiated else map(self._denoiser.get_submodule, names)
        processors = (attribute(part, "processor") for part in parts)
        return [one for one in processors if hasattr(type(one), "_attention_backend")]

    def _tap(
        self, site: Site, arguments: dict[str, Any], on_read: Callable[[MeanAttention], None]
    ) -> Callable[[], Tap]:
        """Return what makes a tap for one call of a site."""
        there = self.layout.sequences(self._denoiser, arguments, site)
        return partial(Tap, there.keys, on_read, there.compute(site))


def _tapped(module: nn.Module, name: str, tap: Callable[[], Tap]) -> Forward:
    """Return the forward of `module` as it is, with a new `tap` around each call."""
    forward = module.forward

    def tapped(*args: Any, **kwargs: Any) -> Any:
        with tap() as opened:
            output = forward(*args, **kwargs)
        if not opened.has_read:
            raise UnsupportedBackend(_out_of_sight(name, module))
        return output

    return tapped


def _next_to(site: Site) -> str:
    """Return the name of the self-attention next to a site; raises `UnsupportedPipeline` if it has none."""
    if site.self_attention is None:
        raise UnsupportedPipeline(
            f"Expected sites with a self-attention next to them, but {site.name} has none that can be read apart. "
            "Use a loss that does not need self-attention, or a pipeline of Stable Diffusion 1.x, 2.x or XL."
        )
    return site.self_attention


def _out_of_sight(name: str, module: nn.Module) -> str:
    processor = type(getattr(module, "processor", module)).__name__
    return (
        "Expected attention by torch.nn.functional.scaled_dot_product_attention, but the processor "
        f"{processor} at {name} computes it in another way, where it cannot be seen. "
        "Undo what chose it: pipe.disable_attention_slicing(), pipe.disable_xformers_memory_efficient_attention(), "
        "denoiser.set_attn_processor(AttnProcessor2_0()) of diffusers, or denoiser.set_attention_backend('native')."
    )


def _check_queries(site: Site, attention: MeanAttention, latents: Size) -> None:
    """Raise `UnsupportedPipeline` unless a site has one query per cell of its maps."""
    cells = prod(site.map_size(latents))
    if attention.shape[1] != cells:
        height, width = site.map_size(latents)
        raise UnsupportedPipeline(
            f"Expected {cells} image positions ({height}x{width}) at {site.name}, got {attention.shape[1]}. Something "
            "merges or skips positions, such as token merging. Turn it off for what is read."
        )


@one_block
def capture(
    denoiser: nn.Module, sites: Sites | None = None, *, stop_after_last: bool = False, self_attention: bool = False
) -> Iterator[Record]:
    """Read the `sites` of `denoiser` (all cross-attention by default) each time it runs while the block is open.

    Processors stay as they are and the output is bit for bit the same; gradients flow from the maps to the latents if
    they are on. With `stop_after_last`, a pass ends as soon as the last wanted site has been read, and the denoiser
    returns None: for callers who want the maps alone. With `self_attention`, `record.maps().self_attention` says how
    image positions look at each other: the sites must be of one map size. After the block, also after an error, no
    trace remains.

    Raises `UnsupportedPipeline` on entry, and `SettingsError`, `UnsupportedBackend` or (for self-attention)
    `UnsupportedPipeline` when the denoiser runs.

        with capture(pipe.unet, SiteSelection(scale=4)) as record:
            pipe.unet(latents, timestep, encoder_hidden_states=text)
        maps = record.maps()
    """
    reader = Reader(denoiser, SiteSelection() if sites is None else sites)
    record = Record()
    after_last: AfterLast = "stop" if stop_after_last else "go on"

    def read(*args: Any, **kwargs: Any) -> Any:
        forward = by_position(opened.original, len(args))
        arguments = reader.arguments(*args, **kwargs)
        return reader.run(forward, arguments, record, after_last=after_last, self_attention=self_attention)

    # compiled code would not see what is replaced
    with held(denoiser, "_compiled_call_impl", None), replaced(denoiser, "forward", read) as opened:
        yield record
