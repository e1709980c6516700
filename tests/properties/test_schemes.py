"""Every scheme under every scheduler: an update is as long in the prediction as in the latents, and none is none."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heedful.attention import SiteSelection
from heedful.errors import UnsupportedScheduler
from heedful.guidance import Restart, Settings, guide
from heedful.guidance.methods import AttendAndExciteLoss
from heedful.steering.levels import INTERVALS
from heedful.steering.prediction import prediction_weight, shifted
from tests.pipelines import generator, latents_of, tiny_pipeline
from tests.steering.test_policy import NOT_OF_UNETS, make
from tests.steering.test_prediction import CASES, FIRST_ORDER, stepped

pytestmark = pytest.mark.filterwarnings("ignore")  # schedulers' own, of numpy and of configurations

TWO = "a cat and a blue clock"
STILL = Settings(sites=SiteSelection(scale=2), step_size=0.0, guided=1.0)
SCHEMES: dict[str, Settings] = {
    "exact": STILL,
    "one-pass": replace(STILL, scheme="one-pass"),
    "prediction": replace(STILL, scheme="prediction"),
    "select": replace(STILL, scheme="select", restart=Restart(step=0.5, limit=1e9)),  # no loss is above the limit
}


@given(case=st.sampled_from(CASES), steps=st.integers(2, 50), place=st.floats(0, 1), size=st.floats(0.01, 1))
def test_update_is_as_long_in_the_prediction_as_in_the_latents(
    case: tuple[str, str], steps: int, place: float, size: float
) -> None:
    """Whatever the number of steps, and wherever in the run; LCM and TCD take 50 at most."""
    name, kind = case
    scheduler = make(name, prediction_type=kind, **FIRST_ORDER[name])
    scheduler.set_timesteps(steps)
    timestep = scheduler.timesteps[int(place * (len(scheduler.timesteps) - 1))]
    latents, prediction, update = torch.randn(3, 1, 4, 4, 4, generator=generator(), dtype=torch.float64)
    update = size * update
    weight = prediction_weight(scheduler, {"timestep": timestep})
    plain = stepped(scheduler, timestep, prediction, latents)
    moved = stepped(scheduler, timestep, prediction, latents + update) - plain
    told = stepped(scheduler, timestep, shifted(prediction, update, weight), latents) - plain
    assert (told - moved).abs().max() < 1e-3 * max(moved.abs().max(), 0.1 * size), (name, kind, weight)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", sorted(name for name in INTERVALS if not name.startswith(NOT_OF_UNETS)))
def test_step_size_of_0_is_the_plain_run(name: str, scheme: str) -> None:
    """Bit for bit where no row is run apart from the others."""
    pipe: Any = tiny_pipeline(scheduler=make(name))
    plain = latents_of(pipe, TWO, num_inference_steps=3)
    try:
        with guide(pipe, TWO, AttendAndExciteLoss(), settings=SCHEMES[scheme]) as guided:
            found = latents_of(pipe, TWO, num_inference_steps=3)
    except UnsupportedScheduler as error:
        assert scheme in ("exact", "one-pass") and 'scheme="prediction"' in str(error)
        return
    if scheme in ("exact", "select"):
        assert found.equal(plain)
    else:
        torch.testing.assert_close(found, plain, rtol=1e-3, atol=1e-3)
    assert guided.trace.plain_rows == 2 * len(pipe.scheduler.timesteps)
    assert sum(step.is_guided for step in guided.trace) == (0 if scheme == "select" else guided_steps(pipe, scheme))


def guided_steps(pipe: Any, scheme: str) -> int:
    """Calls whose update arrives: all of them, or those that are no second half and no repetition."""
    timesteps = pipe.scheduler.timesteps.tolist()
    return len(timesteps) if scheme == "prediction" else len(timesteps) - is_second(pipe.scheduler, timesteps)


def is_second(scheduler: Any, timesteps: list[float]) -> int:
    name = type(scheduler).__name__
    if name == "PNDMScheduler":
        return 1
    return len(timesteps) // 2 if name.startswith(("Heun", "KDPM2")) else 0
