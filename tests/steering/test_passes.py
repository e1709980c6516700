"""What is said of passes that move nothing."""

from collections.abc import Sequence

import pytest
from torch import Tensor

from heedful.attention import Maps, SiteSelection
from heedful.guidance import Settings, guide
from heedful.prompts import Prompt
from tests.pipelines import latents_of, tiny_pipeline

# diffusers' schedulers hand tensors to numpy in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

TWO = "a cat and a blue clock"


def test_a_loss_without_a_gradient_is_said_once() -> None:
    pipe = tiny_pipeline()

    def blind(maps: Maps, prompts: Sequence[Prompt], previous: Maps | None) -> Tensor:
        return maps.tokens.detach().flatten(1).sum(1)

    with (
        pytest.warns(UserWarning, match="has no gradient with respect to the maps") as told,
        guide(pipe, TWO, blind, settings=Settings(sites=SiteSelection(scale=2), step_size=20.0, guided=1.0)),
    ):
        latents_of(pipe, TWO)
    assert len(told) == 1
