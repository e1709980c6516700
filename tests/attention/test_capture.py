from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import (
    AttnProcessor,
    CustomDiffusionAttnProcessor2_0,
    IPAdapterAttnProcessor2_0,
)
from diffusers.models.embeddings import ImageProjection, MultiIPAdapterImageProjection
from torch import Tensor, nn

from heedful.attention import SiteSelection, capture, find_sites
from heedful.errors import SettingsError, UnsupportedBackend, UnsupportedPipeline
from tests.pipelines import generator, tiny_pipeline, tiny_unet

SCALE_2 = SiteSelection(scale=2)
LAST = "up_blocks.2.attentions.1.transformer_blocks.0.attn2"


@pytest.fixture(scope="module")
def shared() -> Any:
    return tiny_unet().double()


def inputs(height: int = 8, width: int = 8, batch: int = 2) -> dict[str, Any]:
    draw = generator()
    return {
        "sample": torch.randn(batch, 4, height, width, generator=draw, dtype=torch.float64),
        "timestep": 500,
        "encoder_hidden_states": torch.randn(batch, 16, 16, generator=draw, dtype=torch.float64),
    }


def traces(unet: nn.Module) -> list[Any]:
    """Everything that somebody could leave on a module: attributes of the instance and all kinds of hooks."""
    return [
        (name, sorted(vars(module)), [len(hooks) for hooks in _hooks(module)]) for name, module in unet.named_modules()
    ]


def _hooks(module: nn.Module) -> list[Any]:
    return [value for key, value in sorted(vars(module).items()) if "hooks" in key]


def test_output_is_bit_for_bit_the_same_and_no_trace_remains(shared: Any) -> None:
    before = traces(shared)
    processors = dict(shared.attn_processors)
    plain = shared(**inputs()).sample
    with capture(shared) as record:
        assert shared(**inputs()).sample.equal(plain)
    assert traces(shared) == before
    assert shared.attn_processors == processors
    assert shared(**inputs()).sample.equal(plain)
    assert list(record) == [site.name for site in find_sites(shared)]


def test_positional_arguments_work_too(shared: Any) -> None:
    given = inputs()
    with capture(shared, SCALE_2) as record:
        shared(given["sample"], given["timestep"], given["encoder_hidden_states"])
    assert len(record) == 3


@pytest.mark.parametrize(("height", "width"), [(8, 8), (4, 12), (7, 13), (5, 3)])
def test_maps_have_the_shape_of_the_image_and_rows_sum_to_one(shared: Any, height: int, width: int) -> None:
    with capture(shared) as record:
        shared(**inputs(height, width))
    for site in find_sites(shared):
        maps = record[site.name]
        assert maps.shape == (2, 16, -(-height // site.scale), -(-width // site.scale))
        torch.testing.assert_close(maps.sum(1), torch.ones_like(maps[:, 0]))


def test_cells_of_maps_lie_where_the_image_has_them(shared: Any) -> None:
    """A changed corner of the latents changes that corner of the first map, on a grid that is not square."""
    given = inputs(8, 16)
    name = find_sites(shared)[0].name
    with capture(shared) as record:
        shared(**given)
        plain = record[name]
        given["sample"] = given["sample"].clone()
        given["sample"][:, :, 0, 12:] += 3
        shared(**given)
        change = (record[name] - plain).abs().sum((0, 1))
    row, column = divmod(int(change.argmax()), 16)
    assert row <= 2
    assert column >= 10


def test_maps_are_what_the_eager_processor_computes(shared: Any) -> None:
    seen: list[Tensor] = []

    class Eager(AttnProcessor):
        def __call__(self, attn: Any, hidden_states: Tensor, encoder_hidden_states: Any = None, **_: Any) -> Tensor:
            query, key = attn.to_q(hidden_states), attn.to_k(encoder_hidden_states)
            scores = attn.get_attention_scores(attn.head_to_batch_dim(query), attn.head_to_batch_dim(key))
            seen.append(scores.unflatten(0, (-1, attn.heads)).mean(1))
            return super().__call__(attn, hidden_states, encoder_hidden_states)

    unet = tiny_unet().double()
    with capture(unet) as record:
        unet(**inputs())
    unet.get_submodule(LAST).set_processor(Eager())
    unet(**inputs())
    torch.testing.assert_close(record[LAST].flatten(-2).mT, seen[0])


def test_gradients_reach_the_latents(shared: Any) -> None:
    given = inputs()
    latents = given["sample"].requires_grad_()
    with capture(shared, SCALE_2) as record:
        shared(**given)
    record.maps().tokens[:, 2].square().sum().backward()
    assert latents.grad is not None
    assert latents.grad.isfinite().all()
    assert (latents.grad != 0).all()


def test_pass_that_stops_early_shows_the_same_maps_and_gradients(shared: Any) -> None:
    results = []
    for stop in (False, True):
        given = inputs()
        latents = given["sample"].requires_grad_()
        with capture(shared, SiteSelection(scale=2), stop_after_last=stop) as record:
            output = shared(**given)
        (gradient,) = torch.autograd.grad(record.maps().tokens[:, 2].square().sum(), latents)
        results.append((record.maps().tokens, gradient))
        assert (output is None) == stop
    torch.testing.assert_close(results[0], results[1], rtol=1e-12, atol=0)


def test_stopped_pass_runs_nothing_after_the_last_site(shared: Any) -> None:
    ran: list[str] = []
    handles = [shared.conv_out.register_forward_hook(lambda *_: ran.append("conv_out"))]
    with capture(shared, SCALE_2, stop_after_last=True):
        shared(**inputs())
    handles[0].remove()
    assert ran == []


def test_no_trace_remains_after_an_error(shared: Any) -> None:
    before = traces(shared)
    with pytest.raises(KeyError), capture(shared):
        handle = shared.conv_out.register_forward_hook(lambda *_: {}["missing"])
        try:
            shared(**inputs())
        finally:
            handle.remove()
    assert traces(shared) == before


def test_each_pass_replaces_the_record(shared: Any) -> None:
    with capture(shared) as record:
        shared(**inputs(8, 8))
        shared(**inputs(4, 4))
    assert record.maps().size == (4, 4)


def test_record_prints_names_and_shapes(shared: Any) -> None:
    with capture(shared, SiteSelection(names=(LAST,))) as record:
        shared(**inputs())
    assert repr(record) == f"Record (batch x token x height x width)\n  {LAST}: 2 x 16 x 8 x 8"


def test_sites_that_are_not_wanted_are_left_alone(shared: Any) -> None:
    wrapped: list[bool] = []
    handle = shared.get_submodule(LAST).register_forward_pre_hook(
        lambda module, _: wrapped.append("forward" in vars(module))
    )
    with capture(shared, SCALE_2):
        shared(**inputs())
    handle.remove()
    assert wrapped == [False]


def test_processor_out_of_sight_is_refused_with_a_remedy() -> None:
    unet = tiny_unet()
    unet.set_attn_processor(AttnProcessor())
    with pytest.raises(UnsupportedBackend, match=r"AttnProcessor.*AttnProcessor2_0"), capture(unet):
        unet(**{key: value.float() if isinstance(value, Tensor) else value for key, value in inputs().items()})


def test_sliced_attention_is_refused_inside_a_pipeline() -> None:
    pipe = tiny_pipeline()
    pipe.enable_attention_slicing(1)
    with pytest.raises(UnsupportedBackend, match="slicing"), capture(pipe.unet):
        pipe("a cat", num_inference_steps=1, output_type="latent")


def test_merged_positions_are_refused() -> None:
    """As token merging does, only half of the positions ask."""
    unet = tiny_unet().double()
    site = unet.get_submodule(LAST)
    site.register_forward_pre_hook(lambda module, args: (args[0][:, ::2], *args[1:]))
    with pytest.raises(UnsupportedPipeline, match=r"positions .*, got .* merges or skips positions"), capture(unet):
        unet(**inputs())


def test_unknown_denoisers_and_empty_selections_are_refused(shared: Any) -> None:
    with pytest.raises(UnsupportedPipeline), capture(nn.Linear(2, 2)):
        pass
    with pytest.raises(SettingsError), capture(shared, SiteSelection(scale=16)):
        shared(**inputs())


class LowRank(nn.Module):
    """A linear layer with a low-rank update, as peft wraps one."""

    def __init__(self, base: nn.Linear):
        super().__init__()
        self.base = base
        self.down = nn.Linear(base.in_features, 2, bias=False)
        self.up = nn.Linear(2, base.out_features, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        return self.base(values) + self.up(self.down(values))


def test_low_rank_updates_are_kept_and_seen() -> None:
    unet = tiny_unet().double()
    with capture(unet) as record:
        unet(**inputs())
        plain = record[LAST]
        site: Any = unet.get_submodule(LAST)
        site.to_k = LowRank(site.to_k).double()
        adapted = unet(**inputs()).sample
        assert not record[LAST].equal(plain)
    assert unet(**inputs()).sample.equal(adapted)


def test_custom_diffusion_is_kept_and_seen() -> None:
    unet = tiny_unet().double()
    with capture(unet) as record:
        unet(**inputs())
        plain = record[LAST]
        site: Any = unet.get_submodule(LAST)
        processor = CustomDiffusionAttnProcessor2_0(hidden_size=8, cross_attention_dim=16).double()
        site.set_processor(processor)
        custom = unet(**inputs()).sample
        assert not record[LAST].equal(plain)
    assert site.processor is processor
    assert unet(**inputs()).sample.equal(custom)


def test_ip_adapter_is_kept_and_the_text_is_what_is_read() -> None:
    unet = tiny_unet().double()
    for site in find_sites(unet):
        module: Any = unet.get_submodule(site.name)
        processor = IPAdapterAttnProcessor2_0(module.to_q.in_features, 16, num_tokens=(4,))
        module.set_processor(processor.double())
    projection = ImageProjection(image_embed_dim=6, cross_attention_dim=16, num_image_text_embeds=4)
    unet.encoder_hid_proj = MultiIPAdapterImageProjection([projection]).double()
    unet.config.encoder_hid_dim_type = "ip_image_proj"
    given = inputs() | {"added_cond_kwargs": {"image_embeds": [torch.randn(2, 1, 6, dtype=torch.float64)]}}
    plain = unet(**given).sample
    with capture(unet) as record:
        assert unet(**given).sample.equal(plain)
    assert {maps.shape[1] for maps in record.values()} == {16}
