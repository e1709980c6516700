"""Self-attention that a person asks for: read beside the maps, changing nothing."""

from typing import Any

import pytest
import torch

from heedful.attention import SiteSelection
from heedful.errors import SettingsError
from heedful.guidance import NONE, Method, Settings, guide
from heedful.guidance.methods import Separability
from tests.pipelines import generator, latents_of, tiny_pipeline

TWO = "a cat and a blue clock"
SETTINGS = Settings(sites=SiteSelection(scale=2), step_size=5.0, guided=0.5)
GUIDED = Method(name="separability", loss=Separability())


@pytest.fixture(scope="module")
def pipe() -> Any:
    return tiny_pipeline()


@pytest.mark.parametrize("method", [NONE, GUIDED], ids=lambda method: method.name)
def test_every_step_has_it_and_the_latents_are_the_same_bit_for_bit(pipe: Any, method: Method) -> None:
    runs = []
    for keep in (False, True):
        with guide(pipe, TWO, method, settings=SETTINGS, keep_self_attention=keep) as guided:
            latents = latents_of(pipe, TWO, num_inference_steps=4, generator=generator(0))
        runs.append((latents, [guided.maps.at(step).self_attention for step in range(4)]))
    (plain, nothing), (same, kept) = runs
    assert torch.equal(plain, same) and nothing == [None] * 4
    for looks in kept:
        assert looks is not None and looks.shape == (1, 16, 4, 4)
        torch.testing.assert_close(looks.sum((-2, -1)), torch.ones(1, 16))


def test_sites_of_several_grids_are_refused(pipe: Any) -> None:
    settings = Settings(sites=SiteSelection())
    with (
        pytest.raises(SettingsError, match="Expected sites of one map size"),
        guide(pipe, TWO, NONE, settings=settings, keep_self_attention=True),
    ):
        latents_of(pipe, TWO, num_inference_steps=1, generator=generator(0))
