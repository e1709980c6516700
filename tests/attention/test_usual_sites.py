from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from heedful.attention import SiteSelection, by_words, layout_of, published_sites
from heedful.attention.usual_sites import Usual, in_blocks, usual_sites
from tests.new_transformers import tiny_chroma
from tests.pipelines import tiny_unet
from tests.single_stream_pipelines import tiny_lumina2
from tests.transformer_pipelines import tiny_flux, tiny_sd3


def blocks(**lists: int) -> torch.nn.Module:
    module = torch.nn.Module()
    for name, count in lists.items():
        setattr(module, name, torch.nn.ModuleList([torch.nn.Identity()] * count))
    module.config = SimpleNamespace(patch_size=2)  # type: ignore[assignment]
    return module


def test_published_blocks_are_read_by_their_numbers() -> None:
    find = in_blocks("transformer_blocks.attn", "single_transformer_blocks.attn")
    sites = find(blocks(transformer_blocks=19, single_transformer_blocks=38))
    usual = layout_of(tiny_flux().transformer).usual or ()
    chosen = usual_sites(usual, sites)
    assert chosen.names == tuple(f"transformer_blocks.{index}.attn" for index in range(15, 19))
    (other,) = (one for one in usual if not one.is_default)
    assert other.names(sites) == [f"single_transformer_blocks.{index}.attn" for index in range(21, 25)]


def test_all_that_was_published_of_a_denoiser_can_be_asked_for() -> None:
    flux = published_sites(tiny_flux().transformer)
    assert [source.partition(",")[0] for source in flux] == ["ConceptAttention", "FreeFlux"]
    assert [sites.names for sites in flux.values()] == [
        ("transformer_blocks.0.attn",),
        ("single_transformer_blocks.1.attn",),
    ]
    assert published_sites(tiny_unet()) == {}


def test_model_with_another_number_of_blocks_is_read_at_the_same_depth() -> None:
    usual = Usual(stem="blocks", first=9, last=9, of=24, source="test")
    find = in_blocks("blocks.attn")
    assert usual.names(find(blocks(blocks=38))) == ["blocks.14.attn"]
    assert usual.names(find(blocks(blocks=1))) == ["blocks.0.attn"]
    assert Usual(stem="others", first=0, last=1, of=2, source="test").names(find(blocks(blocks=3))) == []


def test_where_nobody_has_published_any_the_first_half_is_read() -> None:
    sites = in_blocks("blocks.attn")(blocks(blocks=4))
    assert usual_sites((), sites) == SiteSelection(depth=(0.0, 0.5))


@pytest.mark.filterwarnings("ignore:.*deprecated.*:FutureWarning")
def test_families_say_who_found_their_blocks() -> None:
    for denoiser in (tiny_sd3().transformer, tiny_flux().transformer, tiny_chroma().transformer):
        layout = layout_of(denoiser)
        assert layout.usual
        assert all("arXiv" in one.source for one in layout.usual)
        assert layout.usual_sites(denoiser) != SiteSelection(depth=(0.0, 0.5))
    assert layout_of(tiny_unet()).usual_sites(tiny_unet()) is None


def test_sites_have_the_patch_of_their_model_and_their_neighbours() -> None:
    first, *_ = in_blocks("blocks.attn2", self_attention="attn1")(blocks(blocks=1))
    assert (first.name, first.scale, first.self_attention) == ("blocks.0.attn2", 2, "blocks.0.attn1")
    assert in_blocks("blocks.attn", patch=None)(blocks(blocks=1))[0].scale == 1


def test_rows_of_the_text_are_read_where_there_are_any_that_can_be() -> None:
    chosen = SiteSelection(depth=(0.0, 0.5))
    for denoiser in (tiny_sd3().transformer, tiny_flux().transformer):
        assert by_words(denoiser, chosen) == replace(chosen, rows="text")
        assert by_words(denoiser, replace(chosen, rows="image")).rows == "image"
    for denoiser in (tiny_unet(), tiny_lumina2().transformer):
        assert by_words(denoiser, chosen) is chosen
