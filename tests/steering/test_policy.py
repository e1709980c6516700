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
from heedful.steering.settings import Scheme
from tests.pipelines import SCHEDULER, generator, tiny_pipeline

NAMES = sorted(name for policy in POLICIES for name in policy.schedulers)
NOT_OF_UNETS = ("FlowMatch", "EDM", "SCM")
"""Beginnings of the names of those that no pipeline with a U-Net here is made for."""
SCHEMES: tuple[Scheme, ...] = ("exact", "one-pass", "prediction", "select")


OURS: dict[str, Any] = {"skip_prk_steps": True, "noise_sampler_seed": 0}
FLOW = [name for name in dir(diffusers) if name.startswith("FlowMatch") and name.endswith("Scheduler")]


def make(name: str, **changes: Any) -> Any:
    own = {} if name in FLOW else SCHEDULER
    return getattr(diffusers, name).from_config(own | {"num_train_timesteps": 1000} | OURS | changes)


def begun(name: str, steps: int) -> tuple[Any, list[Any]]:
    """A scheduler at the beginning of a run, and the timesteps of its calls."""
    scheduler = make(name)
    is_scm = name == "SCMScheduler"
    scheduler.set_timesteps(steps, **({"intermediate_timesteps": None} if is_scm else {}))
    return scheduler, list(scheduler.timesteps)[: -1 if is_scm else None]  # where the last step of SCM ends is one too


def final(name: str, moved_at: int | None = None, steps: int = 5) -> tuple[Tensor, list[bool]]:
    """The last latents, and at which calls the policy says that an update would be kept."""
    scheduler, timesteps = begun(name, steps)
    policy = policy_of(scheduler)
    latents = torch.randn(1, 4, 4, 4, generator=generator(), dtype=torch.float64)
    latents = latents * float(getattr(scheduler, "init_noise_sigma", 1.0))
    scale = getattr(scheduler, "scale_model_input", lambda latents, timestep: latents)
    mix = torch.randn(4, 4, generator=generator(1), dtype=torch.float64) * 0.3
    takes = inspect.signature(scheduler.step).parameters
    extra = {"generator": generator(2)} if "generator" in takes else {}
    keeps: list[bool] = []
    for call, timestep in enumerate(timesteps):
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
    if name in REFUSED["exact"]:
        with pytest.raises(UnsupportedScheduler, match=re.escape(REFUSED["exact"][name])):
            policy_of(make(name))
    else:
        scheduler = make(name)
        scheduler.set_timesteps(3)
        assert policy_of(scheduler).keeps_update(scheduler)
        assert name in NAMES  # so the test above measures it


@pytest.mark.parametrize(("scheme", "name"), [(scheme, name) for scheme in SCHEMES for name in REFUSED[scheme]])
def test_schedulers_that_do_not_serve_a_scheme_are_refused_with_reason_and_remedy(scheme: Scheme, name: str) -> None:
    scheduler = getattr(diffusers, name)()
    with pytest.raises(UnsupportedScheduler, match=rf"{name}.*DDIMScheduler\.from_config") as error:
        policy_of(scheduler, scheme)
    assert REFUSED[scheme][name] in str(error.value)
    if name not in REFUSED["prediction"]:
        assert 'Pass settings with scheme="prediction"' in str(error.value)
        policy_of(scheduler, "prediction")


def test_runge_kutta_steps_of_pndm_are_refused() -> None:
    with pytest.raises(UnsupportedScheduler, match="skip_prk_steps"):
        policy_of(make("PNDMScheduler", skip_prk_steps=False))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_unknown_schedulers_are_refused(scheme: Scheme) -> None:
    with pytest.raises(UnsupportedScheduler, match=r"UnCLIPScheduler.*nobody has measured"):
        policy_of(diffusers.UnCLIPScheduler(), scheme)


def test_subclasses_keep_the_policy_of_their_base() -> None:
    class Mine(diffusers.DDIMScheduler):
        pass

    assert policy_of(Mine()) is policy_of(diffusers.DDIMScheduler())
