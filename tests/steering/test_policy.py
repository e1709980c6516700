"""Which schedulers keep an update, measured on each: a fixed noise prediction, and one moved sample on its way in."""

import inspect
import re
from typing import Any

import diffusers
import pytest
import torch
from torch import Tensor

from heedful.errors import UnsupportedScheduler
from heedful.steering.policy import POLICIES, REFUSED, policy_of
from tests.pipelines import SCHEDULER, generator, tiny_pipeline

NAMES = sorted(name for policy in POLICIES for name in policy.schedulers)


OURS: dict[str, Any] = {"skip_prk_steps": True, "noise_sampler_seed": 0}
FLOW = [name for name in dir(diffusers) if name.startswith("FlowMatch") and name.endswith("Scheduler")]


def make(name: str, **changes: Any) -> Any:
    own = {} if name in FLOW else SCHEDULER
    return getattr(diffusers, name).from_config(own | {"num_train_timesteps": 1000} | OURS | changes)


def final(name: str, moved_at: int | None = None, steps: int = 5) -> tuple[Tensor, list[bool]]:
    """The last latents, and at which calls the policy says that an update would be kept."""
    scheduler = make(name)
    scheduler.set_timesteps(steps)
    policy = policy_of(scheduler)
    latents = torch.randn(1, 4, 4, 4, generator=generator(), dtype=torch.float64)
    latents = latents * float(getattr(scheduler, "init_noise_sigma", 1.0))
    scale = getattr(scheduler, "scale_model_input", lambda latents, timestep: latents)
    mix = torch.randn(4, 4, generator=generator(1), dtype=torch.float64) * 0.3
    takes = inspect.signature(scheduler.step).parameters
    extra = {"generator": generator(2)} if "generator" in takes else {}
    keeps: list[bool] = []
    for call, timestep in enumerate(list(scheduler.timesteps)):
        noise = torch.einsum("oc,bchw->bohw", mix, scale(latents, timestep))
        keeps.append(policy.keeps_update(scheduler))
        moved = latents + 0.1 if call == moved_at else latents
        latents = scheduler.step(noise, timestep, moved, **extra).prev_sample
    return latents, keeps


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_updates_arrive_exactly_where_the_policy_says(name: str) -> None:
    plain, keeps = final(name)
    arrives = [bool((final(name, call)[0] - plain).abs().max() > 1e-9) for call in range(len(keeps))]
    assert arrives == keeps
    assert keeps[0]


COMPATIBLE = {kind.__name__ for kind in tiny_pipeline().scheduler.compatibles}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(COMPATIBLE | set(FLOW)))
def test_every_scheduler_of_the_pipelines_is_measured_or_refused_with_its_reason(name: str) -> None:
    """What `pipe.scheduler.compatibles` lists for Stable Diffusion, and the flow matching ones of SD3 and FLUX."""
    if name in REFUSED:
        with pytest.raises(UnsupportedScheduler, match=re.escape(REFUSED[name])):
            policy_of(make(name))
    else:
        scheduler = make(name)
        scheduler.set_timesteps(3)
        assert policy_of(scheduler).keeps_update(scheduler)
        assert name in NAMES  # so the test above measures it


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_schedulers_that_rewrite_updates_are_refused_with_a_remedy(name: str) -> None:
    with pytest.raises(UnsupportedScheduler, match=rf"{name}.*DDIMScheduler\.from_config"):
        policy_of(getattr(diffusers, name)())


def test_runge_kutta_steps_of_pndm_are_refused() -> None:
    with pytest.raises(UnsupportedScheduler, match="skip_prk_steps"):
        policy_of(make("PNDMScheduler", skip_prk_steps=False))


def test_unknown_schedulers_are_refused() -> None:
    with pytest.raises(UnsupportedScheduler, match="IPNDMScheduler"):
        policy_of(diffusers.IPNDMScheduler())


def test_subclasses_keep_the_policy_of_their_base() -> None:
    class Mine(diffusers.DDIMScheduler):
        pass

    assert policy_of(Mine()) is policy_of(diffusers.DDIMScheduler())
