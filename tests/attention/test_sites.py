import pytest

from heedful.attention import Site, SiteSelection, find_sites
from heedful.attention.sites import choose_sites
from heedful.errors import SettingsError, UnsupportedPipeline
from tests.pipelines import tiny_unet, tiny_vae

SITES = (
    Site("down_blocks.0.attn2", "down", 1),
    Site("down_blocks.1.attn2", "down", 2),
    Site("mid_block.attn2", "mid", 4),
    Site("up_blocks.1.attn2", "up", 2),
)


def names(selection: SiteSelection, latents: tuple[int, int] = (8, 8)) -> list[str]:
    return [site.name.split(".")[0] + str(site.scale) for site in selection.choose(SITES, latents)]


def test_sites_of_a_unet_stand_in_the_order_of_its_forward_with_their_scales() -> None:
    sites = find_sites(tiny_unet())
    assert [(site.block, site.scale) for site in sites] == [
        ("down", 1),
        ("down", 2),
        ("mid", 4),
        ("up", 2),
        ("up", 2),
        ("up", 1),
        ("up", 1),
    ]
    assert all(site.name.endswith("attn2") for site in sites)


def test_coarsest_keeps_the_fewest_cells_of_what_passes() -> None:
    assert names(SiteSelection(coarsest=True)) == ["mid_block4"]
    assert names(SiteSelection(blocks=("down",), coarsest=True)) == ["down_blocks2"]
    assert names(SiteSelection(blocks=("transformer",), coarsest=True)) == []


def test_depth_is_a_share_of_the_sites_in_the_order_of_the_forward() -> None:
    assert names(SiteSelection(depth=(0.0, 0.5))) == ["down_blocks1", "down_blocks2"]
    assert names(SiteSelection(depth=(0.5, 1.0))) == ["mid_block4", "up_blocks2"]
    assert names(SiteSelection(depth=(0.0, 0.5), scale=2)) == ["down_blocks2"]


def test_unet_of_stable_diffusion_has_its_five_16x16_sites() -> None:
    unet = tiny_unet(
        sample_size=64,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        block_out_channels=(4, 4, 4, 4),
        layers_per_block=2,
        cross_attention_dim=4,
    )
    chosen = SiteSelection(scale=4).choose(find_sites(unet), (64, 64))
    assert [site.name.split(".attentions")[0] for site in chosen] == ["down_blocks.2"] * 2 + ["up_blocks.1"] * 3
    assert {site.map_size((64, 64)) for site in chosen} == {(16, 16)}


def test_map_size_rounds_up_as_strided_convolutions_do() -> None:
    assert Site("a", "down", 4).map_size((9, 13)) == (3, 4)


def test_selection_by_block_scale_size_and_name() -> None:
    assert names(SiteSelection()) == ["down_blocks1", "down_blocks2", "mid_block4", "up_blocks2"]
    assert names(SiteSelection(blocks=("up", "mid"))) == ["mid_block4", "up_blocks2"]
    assert names(SiteSelection(scale=2)) == ["down_blocks2", "up_blocks2"]
    assert names(SiteSelection(size=4)) == ["down_blocks2", "up_blocks2"]
    assert names(SiteSelection(size=4), latents=(16, 24)) == ["mid_block4"]
    assert names(SiteSelection(names=("down*", "mid*"), scale=2)) == ["down_blocks2"]


def test_predicate_selects_too() -> None:
    assert choose_sites(lambda site: site.scale == 4, SITES, (8, 8)) == (SITES[2],)


def test_empty_selection_says_what_there_is() -> None:
    with pytest.raises(SettingsError, match=r"up scale 2 \(4x4\)"):
        choose_sites(SiteSelection(scale=8), SITES, (8, 8))


def test_denoiser_of_an_unknown_family_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedPipeline, match="AutoencoderKL"):
        find_sites(tiny_vae())


def test_denoiser_that_diffusers_derives_from_another_is_a_family_of_its_own() -> None:
    """A class of a user's that is derived from one of diffusers' is read as that one."""
    unet = tiny_unet()
    usual = find_sites(unet)
    unet.__class__ = type("OwnUNet", (type(unet),), {"__module__": "somebody"})
    assert find_sites(unet) == usual
    unet.__class__ = type("OtherUNet", (type(unet),), {"__module__": "diffusers.models.unets.other"})
    with pytest.raises(UnsupportedPipeline, match="got OtherUNet"):
        find_sites(unet)
