"""The difference that classifier-free guidance makes, kept for some steps."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from heedful.attention import SiteSelection
from heedful.errors import SettingsError
from heedful.guidance import Settings, guide
from heedful.steering import Restart
from heedful.steering.call import Call
from heedful.steering.difference import Difference
from tests.pipelines import generator, latents_of, tiny_pipeline
from tests.steering.test_call import LAYOUT
from tests.steering.test_restart import METHOD, TWO, Told

UNGUIDED = Settings(sites=SiteSelection(scale=2), step_size=0.0, guided=0.0)
SCALE = 5.0


@pytest.fixture(scope="module")
def pipe() -> Any:
    return tiny_pipeline(torch.float64)


def call(copies: int, condition: int) -> Call:
    rows = 2 * copies
    arguments = {"sample": torch.zeros(rows, 4, 3, 5), "timestep": 1, "encoder_hidden_states": torch.zeros(rows, 3, 2)}
    return Call(LAYOUT, arguments, copies, 4, condition)


@pytest.mark.parametrize(("copies", "condition"), [(2, -1), (2, 0), (3, 0)])
def test_output_is_made_of_what_is_kept_and_the_conditional_rows(copies: int, condition: int) -> None:
    """Wherever a pipeline puts the condition; an unchanged conditional prediction gives back the whole."""
    whole, made = call(copies, condition), torch.randn(2 * copies, 4, 3, 5)
    difference = Difference(2, 0)
    assert not difference.serves(whole, 0)
    difference.keep(whole, 0, (made,))
    assert difference.serves(whole, 1)
    assert not difference.serves(whole, 2)
    (again,) = difference.whole(whole, (made[whole.conditional_rows],))
    torch.testing.assert_close(again, made)
    assert not difference.serves(call(1, -1), 1), "a call without other rows needs none"
    difference.forget()
    assert not difference.serves(whole, 1)


@pytest.mark.parametrize("kept", [0, 1])
def test_one_step_keeps_nothing(kept: int) -> None:
    difference = Difference(kept, 0)
    difference.keep(call(2, -1), 0, (torch.randn(4, 4, 3, 5),))
    assert not difference.serves(call(2, -1), 1)


@pytest.mark.parametrize("scheme", ["exact", "one-pass"])
def test_guided_steps_predict_it_anew(pipe: Any, scheme: Any) -> None:
    settings = replace(UNGUIDED, guided=0.5, scheme=scheme, difference_kept=1.0)
    with guide(pipe, TWO, METHOD, settings=settings) as guided:
        latents_of(pipe, TWO, guidance_scale=SCALE)
    assert (guided.trace.plain_rows, guided.trace.spared_rows) == (8, 2)  # of the two steps behind them


def test_scheduler_gets_the_new_condition_and_the_old_difference(pipe: Any) -> None:
    made: list[Tensor] = []
    told: list[Tensor] = []
    forward, step = pipe.unet.forward, pipe.scheduler.step

    def predict(*args: Any, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        made.append(output[0].clone())
        return output

    def listen(model_output: Tensor, timestep: Any, sample: Tensor, **kwargs: Any) -> Any:
        told.append(model_output.clone())
        return step(model_output, timestep, sample, **kwargs)

    pipe.unet.forward, pipe.scheduler.step = predict, listen
    try:
        with guide(pipe, TWO, "none", settings=replace(UNGUIDED, difference_kept=0.5)):
            latents_of(pipe, TWO, guidance_scale=SCALE)
    finally:
        del pipe.unet.forward, pipe.scheduler.step
    assert [len(output) for output in made] == [2, 1, 2, 1]
    for first in (0, 2):
        (without, having), (later,) = made[first], made[first + 1]
        torch.testing.assert_close(told[first][0], without + SCALE * (having - without))
        torch.testing.assert_close(told[first + 1][0], later + (SCALE - 1) * (having - without))


def test_image_from_another_noise_has_a_difference_of_its_own(pipe: Any) -> None:
    """The step that restarts asks for both rows again, though the difference would have served it."""
    restart = Restart(step=0.5, limit=0.5, loss=Told([0.9], [0.1]))
    settings = replace(UNGUIDED, guided=0.25, difference_kept=1.0, restart=restart)
    with guide(pipe, TWO, METHOD, settings=settings, retry_seeds=[3]) as guided:
        latents_of(pipe, TWO, guidance_scale=SCALE)
    assert guided.trace.restarts[0].chosen == 1
    assert guided.trace.spared_rows == 2
    settings = replace(settings, restart=replace(restart, loss=Told([0.1])))
    with guide(pipe, TWO, METHOD, settings=settings, retry_seeds=[3]) as guided:
        latents_of(pipe, TWO, guidance_scale=SCALE)
    assert guided.trace.spared_rows == 3


def test_without_it_images_are_as_they_were(pipe: Any) -> None:
    plain = latents_of(pipe, TWO, guidance_scale=SCALE, generator=generator())
    with guide(pipe, TWO, "none", settings=replace(UNGUIDED, difference_kept=0.25)):  # one of four steps
        assert latents_of(pipe, TWO, guidance_scale=SCALE, generator=generator()).equal(plain)


@pytest.mark.parametrize(("guided", "spared"), [(0, 3), (0.5, 2)])
def test_run_without_a_loss_predicts_it_anew_while_shapes_form(pipe: Any, guided: float, spared: int) -> None:
    with guide(pipe, TWO, "none", settings=replace(UNGUIDED, guided=guided, difference_kept=1.0)) as block:
        latents_of(pipe, TWO, guidance_scale=SCALE)
    assert block.trace.spared_rows == spared


def test_share_is_checked() -> None:
    with pytest.raises(SettingsError, match="Expected a share of the run"):
        Settings(difference_kept=5)
