"""How image positions look at each other: read beside the text, and only when asked for."""

from typing import Any

import pytest
import torch
from diffusers import SD3Transformer2DModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor

from heedful.attention import Maps, SiteSelection, capture, find_sites
from heedful.attention.filters import resize_both
from heedful.attention.tap import mean_attention, recomputed_attention
from heedful.errors import SettingsError, UnsupportedBackend, UnsupportedPipeline
from tests.attention.test_capture import inputs, traces
from tests.pipelines import tiny_unet

SCALE_2 = SiteSelection(scale=2)
BESIDE = [name.replace("attn2", "attn1") for name in (site.name for site in find_sites(tiny_unet()) if site.scale == 2)]


@pytest.fixture(scope="module")
def shared() -> Any:
    return tiny_unet().double()


def drawn(batch: int = 3, height: int = 2, width: int = 3) -> Maps:
    draw = torch.Generator().manual_seed(5)
    looks = torch.randn(batch, height * width, height * width, generator=draw).softmax(-1)
    tokens = torch.randn(batch, 5, height, width, generator=draw).softmax(1)
    return Maps(tokens, looks.unflatten(-1, (height, width)))


def self_attention_of(maps: Maps) -> Tensor:
    assert maps.self_attention is not None
    return maps.self_attention


def test_each_cell_divides_its_attention_among_all_cells(shared: Any) -> None:
    with capture(shared, SCALE_2, self_attention=True) as record:
        shared(**inputs(7, 13))
    rows = self_attention_of(record.maps())
    assert rows.shape == (2, 4 * 7, 4, 7)
    torch.testing.assert_close(rows.sum((-2, -1)), torch.ones_like(rows[:, :, 0, 0]))


def test_it_is_the_mean_of_what_the_eager_processors_compute() -> None:
    seen: list[Tensor] = []

    class Eager(AttnProcessor):
        def __call__(self, attn: Any, hidden_states: Tensor, *given: Any, **named: Any) -> Tensor:
            query, key = attn.to_q(hidden_states), attn.to_k(hidden_states)
            scores = attn.get_attention_scores(attn.head_to_batch_dim(query), attn.head_to_batch_dim(key))
            seen.append(scores.unflatten(0, (-1, attn.heads)).mean(1))
            return super().__call__(attn, hidden_states, *given, **named)

    unet: Any = tiny_unet().double()
    with capture(unet, SCALE_2, self_attention=True) as record:
        unet(**inputs())
    for name in BESIDE:
        unet.get_submodule(name).set_processor(Eager())
    unet(**inputs())
    assert len(seen) == 3
    torch.testing.assert_close(self_attention_of(record.maps()).flatten(-2), torch.stack(seen).mean(0))


def test_output_and_maps_of_the_text_are_bit_for_bit_the_same(shared: Any) -> None:
    before = traces(shared)
    plain = shared(**inputs()).sample
    with capture(shared, SCALE_2) as without:
        shared(**inputs())
    with capture(shared, SCALE_2, self_attention=True) as beside:
        assert shared(**inputs()).sample.equal(plain)
    assert list(beside) == list(without)
    assert beside.maps().tokens.equal(without.maps().tokens)
    assert traces(shared) == before


def test_modules_are_left_alone_unless_asked_for(shared: Any) -> None:
    tapped: list[bool] = []
    handle = shared.get_submodule(BESIDE[0]).register_forward_pre_hook(
        lambda module, _: tapped.append("forward" in vars(module))
    )
    for asked in (False, True):
        with capture(shared, SCALE_2, self_attention=asked) as record:
            shared(**inputs())
        assert (record.maps().self_attention is not None) == asked
    handle.remove()
    assert tapped == [False, True]


def test_pass_that_stops_early_shows_the_same_values_and_gradients(shared: Any) -> None:
    results = []
    for stop in (False, True):
        given = inputs()
        latents = given["sample"].requires_grad_()
        with capture(shared, SCALE_2, stop_after_last=stop, self_attention=True) as record:
            shared(**given)
        rows = self_attention_of(record.maps())
        (gradient,) = torch.autograd.grad(rows[:, 3].square().sum(), latents)
        results.append((rows.detach(), gradient))
    assert (results[0][1] != 0).all()
    torch.testing.assert_close(results[0], results[1], rtol=1e-12, atol=0)


def test_nothing_as_large_as_heads_times_cells_squared_is_kept_for_the_backward_pass() -> None:
    query, key = (torch.randn(1, 3, 20, 2, dtype=torch.float64).requires_grad_() for _ in range(2))
    gradients = []
    for compute in (mean_attention, recomputed_attention):
        kept: list[int] = []

        def keep(saved: Tensor, kept: list[int] = kept) -> Tensor:
            kept.append(saved.numel())
            return saved

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
            attention = compute(query, key)
        assert (max(kept, default=0) >= 3 * 20 * 20) == (compute is mean_attention)
        gradients.append(torch.autograd.grad(attention[:, 4].square().sum(), (query, key)))
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-12, atol=0)


def test_sites_of_several_sizes_have_no_common_rows(shared: Any) -> None:
    with (
        pytest.raises(SettingsError, match=r"2x2, 4x4, 8x8.*SiteSelection\(scale=4\)"),
        capture(shared, self_attention=True),
    ):
        shared(**inputs())


def test_denoisers_whose_self_attention_cannot_be_told_apart_are_refused() -> None:
    """A U-Net in which both modules of a block attend to the text, and joint attention of text and image."""
    unet: Any = tiny_unet(only_cross_attention=True).double()
    assert all(site.self_attention is None for site in find_sites(unet) if site.block == "down")
    sites = SiteSelection(blocks=("down",), scale=1)
    with capture(unet, sites) as record:
        unet(**inputs())
    assert len(record) == 2
    with pytest.raises(UnsupportedPipeline, match="next to them"), capture(unet, sites, self_attention=True):
        unet(**inputs())
    joint = SD3Transformer2DModel(
        sample_size=4, in_channels=4, num_layers=1, attention_head_dim=4, num_attention_heads=1,
        joint_attention_dim=8, caption_projection_dim=4, pooled_projection_dim=8, out_channels=4, pos_embed_max_size=4,
    )  # fmt: skip
    joint_inputs = {
        "hidden_states": torch.randn(1, 4, 4, 4),
        "encoder_hidden_states": torch.randn(1, 3, 8),
        "pooled_projections": torch.randn(1, 8),
        "timestep": torch.tensor([1]),
    }
    with pytest.raises(UnsupportedPipeline, match="next to them"), capture(joint, self_attention=True):
        joint(**joint_inputs)


def test_processor_out_of_sight_is_refused_by_its_name() -> None:
    unet: Any = tiny_unet().double()
    unet.get_submodule(BESIDE[1]).set_processor(AttnProcessor())
    with capture(unet, SCALE_2):
        unet(**inputs())
    with pytest.raises(UnsupportedBackend, match=BESIDE[1]), capture(unet, SCALE_2, self_attention=True):
        unet(**inputs())


def test_items_and_selections_keep_their_own_rows() -> None:
    maps = drawn()
    rows = self_attention_of(maps)
    assert self_attention_of(maps[1]).equal(rows[1:2])
    assert self_attention_of(maps.select([2, 0])).equal(rows[[2, 0]])
    assert self_attention_of(maps.smooth()).equal(rows)
    assert drawn().select([1]).tokens.equal(maps.tokens[1:2])


def test_detached_maps_have_no_graph() -> None:
    maps = drawn()
    live = Maps(maps.tokens.clone().requires_grad_(), self_attention_of(maps).clone().requires_grad_())
    detached = live.detach()
    assert not detached.tokens.requires_grad
    assert not self_attention_of(detached).requires_grad


def test_resized_rows_are_shares_again_and_stay_where_they_were() -> None:
    rows = torch.full((1, 16, 4, 4), 1e-9)
    rows[0, 3, 3, 0] = 1  # the cell at the upper right looks at the lower left
    rows[0, 12, 0, 3] = 1  # and the other way round
    rows = rows / rows.sum((-2, -1), keepdim=True)
    maps = Maps(torch.full((1, 5, 4, 4), 0.2), rows).resize(8, 12)
    larger = self_attention_of(maps)
    assert larger.shape == (1, 96, 8, 12)
    torch.testing.assert_close(larger.sum((-2, -1)), torch.ones(1, 96))
    assert float(larger[0, 11, 7, 0]) == float(larger[0, 11].max()) > 10 * float(larger[0, 11].mean())
    assert float(larger[0, 84, 0, 11]) == float(larger[0, 84].max()) > 10 * float(larger[0, 84].mean())
    assert resize_both(rows, 4, 4).equal(rows)
