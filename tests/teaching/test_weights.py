import pytest
import torch

from heedful.attention import find_sites
from heedful.teaching.weights import ADAPTER, Weights, add_lora, choose_weights, projections, start_detached
from tests.pipelines import generator, tiny_unet

PARTS: dict[Weights, set[str]] = {
    "none": set(),
    "value": {"to_v"},
    "key-value": {"to_k", "to_v"},
    "query-key-value": {"to_q", "to_k", "to_v"},
}


@pytest.mark.parametrize("weights", PARTS)
def test_exactly_the_projections_of_cross_attention_take_gradients(weights: Weights) -> None:
    unet = tiny_unet()
    chosen = choose_weights(unet, weights)
    expected = {f"{site.name}.{part}.weight" for site in find_sites(unet) for part in PARTS[weights]}
    assert set(chosen) == expected
    assert {name for name, parameter in unet.named_parameters() if parameter.requires_grad} == expected


def test_all_is_the_whole_denoiser() -> None:
    unet = tiny_unet()
    assert set(choose_weights(unet, "all")) == {name for name, _ in unet.named_parameters()}


def test_what_learns_is_float32_and_the_rest_stays_as_it_was() -> None:
    unet = tiny_unet().to(torch.bfloat16)
    chosen = choose_weights(unet, "value")
    for name, parameter in unet.named_parameters():
        assert parameter.dtype == (torch.float32 if name in chosen else torch.bfloat16)


@pytest.mark.parametrize("weights", ["value", "key-value", "query-key-value", "all"])
def test_a_lora_stands_on_the_same_projections_and_begins_as_nothing(weights: Weights) -> None:
    unet = tiny_unet()
    arguments = {"sample": torch.randn(1, 4, 8, 8, generator=generator()), "timestep": 10}
    text = torch.randn(1, 5, 16, generator=generator())
    before = unet(**arguments, encoder_hidden_states=text).sample
    lora = add_lora(unet, weights, 2, seed=0)
    assert torch.equal(unet(**arguments, encoder_hidden_states=text).sample, before)
    stems = {name.split(".lora_")[0] for name in lora}
    if weights == "all":
        assert {stem.rsplit(".attn", 1)[1] for stem in stems} == {
            f"{kind}.{part}" for kind in "12" for part in ("to_q", "to_k", "to_v", "to_out.0")
        }
    else:
        assert stems == set(projections(unet, weights))
    assert all(f".{ADAPTER}." in name for name in lora)
    again = add_lora(tiny_unet(), weights, 2, seed=0)
    assert all(torch.equal(value, again[name]) for name, value in lora.items())


def test_nothing_is_learnt_through_the_start_token() -> None:
    unet = tiny_unet()
    chosen = choose_weights(unet, "key-value")
    name, key = next((name, value) for name, value in chosen.items() if "to_k" in name)
    module = unet.get_submodule(name.removesuffix(".weight"))
    text = torch.zeros(1, 3, 16)
    text[0, 0, 0] = text[0, 1, 1] = 1.0  # each token has a direction of its own, and so has its gradient
    with start_detached(unet, "key-value"):
        module(text).sum().backward()
    assert key.grad is not None
    assert not key.grad[:, 0].any()
    assert key.grad[:, 1].all()
    module(text).sum().backward()
    assert key.grad[:, 0].all()
