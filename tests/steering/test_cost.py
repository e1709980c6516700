from typing import Any

import pytest
import torch

import heedful
from heedful.attention import SiteSelection
from heedful.guidance import EMBEDDED_SITES, METHODS, pipeline_shares
from heedful.steering.cost import gradient_shares
from tests.pipelines import tiny_unet


def arguments(channels: int, size: int, width: int) -> dict[str, Any]:
    return {
        "sample": torch.zeros(1, channels, size, size),
        "timestep": 1,
        "encoder_hidden_states": torch.zeros(1, 16, width),
    }


def test_shares_grow_with_the_last_site() -> None:
    unet = tiny_unet()
    down, whole = (
        gradient_shares(unet, SiteSelection(blocks=blocks), arguments(4, 8, 16))  # pyright: ignore[reportArgumentType]
        for blocks in (("down",), ("down", "mid", "up"))
    )
    assert 0 < down.forward < whole.forward < 1
    assert 0 < down.backward < whole.backward
    assert all(parameter.requires_grad for parameter in unet.parameters())
    assert unet.conv_in.weight.grad is None


def test_shares_of_the_embedded_model() -> None:
    """A gradient pass ends after two thirds of the forward; the way back costs about as much."""
    unet = heedful.world.load().unet
    shares = gradient_shares(unet, EMBEDDED_SITES, arguments(8, 16, unet.config.cross_attention_dim))
    assert shares == pytest.approx((0.669, 0.677), abs=0.01)


def test_shares_of_joint_attention() -> None:
    """The published block is the third of six; what is counted at the pipeline's own size is what it calls."""
    pipe = heedful.world.load("joint")
    sites = METHODS["heedful"].settings_for(pipe.transformer).sites
    shares = pipeline_shares(pipe, sites)
    assert shares == pytest.approx((0.385, 0.400), abs=0.01)
    called: dict[str, Any] = {}
    forward = pipe.transformer.forward

    def listen(**arguments: Any) -> Any:
        called.update(arguments)
        return forward(**arguments)

    pipe.transformer.forward = listen
    pipe("a cat and a dog", num_inference_steps=1, guidance_scale=1.0, output_type="latent")
    del pipe.transformer.forward
    assert gradient_shares(pipe.transformer, sites, called) == pytest.approx(shares)
