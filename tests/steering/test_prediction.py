"""An update that is said in the prediction: as long as one of the latents, whatever the model predicts."""

import inspect
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import diffusers
import pytest
import torch
from torch import Tensor

from heedful.attention import SiteSelection
from heedful.errors import SettingsError, UnsupportedScheduler
from heedful.guidance import Restart, Settings, guide
from heedful.guidance.methods import AttendAndExciteLoss
from heedful.steering.levels import INTERVALS
from heedful.steering.past import twin
from heedful.steering.prediction import prediction_weight, shifted
from tests.every_pipeline import PIPELINES, PROMPTS
from tests.guidance.test_every_pipeline import EXCITE, settings_of
from tests.guidance.test_guide import state
from tests.pipelines import generator, latents_of, tiny_pipeline
from tests.steering.test_policy import NOT_OF_UNETS, begun, make

# diffusers' schedulers hand tensors to numpy in a way that numpy 2 warns of.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*numpy.*:DeprecationWarning"),
]

TWO = "a cat and a blue clock"
LOSS = AttendAndExciteLoss()
TOLD = Settings(sites=SiteSelection(scale=2), step_size=5.0, guided=1.0, scheme="prediction")
FIRST_ORDER: dict[str, dict[str, Any]] = {
    "DDIMParallelScheduler": {},
    "DDIMScheduler": {},
    "DDPMParallelScheduler": {},
    "DDPMScheduler": {},
    "DEISMultistepScheduler": {"solver_order": 1},
    "DPMSolverMultistepScheduler": {"solver_order": 1},
    "DPMSolverSinglestepScheduler": {"solver_order": 1},
    "EDMDPMSolverMultistepScheduler": {"solver_order": 1},
    "EDMEulerScheduler": {},
    "EulerAncestralDiscreteScheduler": {},
    "EulerDiscreteScheduler": {},
    "FlowMatchEulerDiscreteScheduler": {},
    "FlowMatchLCMScheduler": {},
    "LCMScheduler": {},
    "TCDScheduler": {},
}
"""Schedulers whose every step is linear in latents and prediction, and what makes them so."""
KINDS = ("epsilon", "v_prediction", "sample")
CASES = [
    (name, kind)
    for name in FIRST_ORDER
    for kind in KINDS
    if not (name.startswith("FlowMatch") and kind != "epsilon")
    and not (kind == "sample" and name.startswith(("EDM", "EulerAncestral")))
]


def stepped(scheduler: Any, timestep: Any, prediction: Tensor, latents: Tensor, **extra: Any) -> Tensor:
    """One step by a scheduler that forgets it; noise is the same each time."""
    if "generator" in inspect.signature(scheduler.step).parameters:
        extra["generator"] = generator(3)
    return twin(scheduler).step(prediction, timestep, latents, **extra).prev_sample


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_step_is_that_of_moved_latents(name: str, kind: str) -> None:
    """Within 1e-4 of the update; tables of levels are float32, and LCM's boundary condition is left out."""
    scheduler = make(name, prediction_type=kind, **FIRST_ORDER[name])
    scheduler.set_timesteps(6)
    latents = torch.randn(2, 4, 4, 4, generator=generator(), dtype=torch.float64)
    update = 0.1 * torch.randn(2, 4, 4, 4, generator=generator(1), dtype=torch.float64)
    for timestep in list(scheduler.timesteps):
        scale = getattr(scheduler, "scale_model_input", lambda latents, timestep: latents)
        prediction = 0.5 * scale(latents, timestep)
        weight = prediction_weight(scheduler, {"timestep": timestep})
        plain = stepped(scheduler, timestep, prediction, latents)
        moved = stepped(scheduler, timestep, prediction, latents + update) - plain
        told = stepped(scheduler, timestep, shifted(prediction, update, weight), latents) - plain
        error = (told - moved).abs().max() / max(moved.abs().max(), 0.1 * update.abs().max())
        assert error < 1e-4, (name, kind, float(timestep), weight)
        latents = scheduler.step(prediction, timestep, latents).prev_sample


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", ["DDIMScheduler", "TCDScheduler"])
def test_noise_that_is_asked_for_counts(name: str, eta: float) -> None:
    scheduler = make(name)
    scheduler.set_timesteps(6)
    latents, update = torch.randn(2, 1, 4, 4, 4, generator=generator(), dtype=torch.float64)
    timestep = scheduler.timesteps[2]
    weight = prediction_weight(scheduler, {"timestep": timestep, "eta": eta})
    moved = stepped(scheduler, timestep, latents, latents + update, eta=eta)
    told = stepped(scheduler, timestep, shifted(latents, update, weight), latents, eta=eta)
    torch.testing.assert_close(told, moved, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow_prediction"])
@pytest.mark.parametrize("name", ["DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "DEISMultistepScheduler"])
def test_flow_models_under_the_solvers_of_others(name: str, kind: str) -> None:
    flow = {"use_flow_sigmas": True, "flow_shift": 3.0} if kind == "flow_prediction" else {}
    scheduler = make(name, prediction_type=kind, solver_order=1, **flow)
    scheduler.set_timesteps(6)
    latents, update = torch.randn(2, 1, 4, 4, 4, generator=generator(), dtype=torch.float64)
    timestep = scheduler.timesteps[0]
    weight = prediction_weight(scheduler, {"timestep": timestep})
    moved = stepped(scheduler, timestep, latents, latents + update)
    told = stepped(scheduler, timestep, shifted(latents, update, weight), latents)
    torch.testing.assert_close(told, moved, rtol=1e-4, atol=1e-4)


LINEAR = torch.tensor([[-0.4, 0.3, 0.1, 0.0], [0.2, -0.3, 0.1, 0.2], [0.0, 0.1, -0.2, 0.3], [0.1, 0.2, 0.0, -0.4]])


def final(name: str, moved_at: set[int], steps: int = 6, told: bool = True) -> tuple[Tensor, int]:
    """What a linear model ends with if a row of updates is made, and how many calls there are."""
    scheduler, timesteps = begun(name, steps)
    latents = torch.randn(1, 4, 4, 4, generator=generator(), dtype=torch.float64)
    latents = latents * float(getattr(scheduler, "init_noise_sigma", 1.0))
    extra = {"generator": generator(2)} if "generator" in inspect.signature(scheduler.step).parameters else {}
    for call, timestep in enumerate(timesteps):
        scaled = scheduler.scale_model_input(latents, timestep) if hasattr(scheduler, "scale_model_input") else latents
        prediction = torch.einsum("oc,bchw->bohw", LINEAR.double(), scaled)
        if call in moved_at and told:
            weight = prediction_weight(scheduler, {"timestep": timestep})
            prediction = shifted(prediction, torch.full_like(latents, 0.1), weight)
        elif call in moved_at:
            latents = latents + 0.1
        latents = scheduler.step(prediction, timestep, latents, **extra).prev_sample
    return latents, len(timesteps)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(INTERVALS))
def test_no_call_of_any_scheduler_drops_it(name: str) -> None:
    plain, calls = final(name, set())
    for call in range(calls):
        assert (final(name, {call})[0] - plain).abs().max() > 1e-4, call


REFERENCES = {
    "UniPCMultistepScheduler": "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler": "DPMSolverMultistepScheduler",
    "PNDMScheduler": "DDIMScheduler",
    "EDMDPMSolverMultistepScheduler": "EDMDPMSolverMultistepScheduler",  # it keeps updates of latents itself
    "FlowMatchHeunDiscreteScheduler": "FlowMatchEulerDiscreteScheduler",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    ["PNDMScheduler", "UniPCMultistepScheduler", "DPMSolverSinglestepScheduler", "HeunDiscreteScheduler",
     "KDPM2DiscreteScheduler", "LMSDiscreteScheduler", "FlowMatchHeunDiscreteScheduler",
     "EDMDPMSolverMultistepScheduler"],
)  # fmt: skip
def test_updates_at_every_call_are_as_long_as_those_of_latents_in_first_order(
    name: str,
) -> None:
    reference = REFERENCES.get(name, "EulerDiscreteScheduler")
    lengths = []
    for scheduler, told in ((name, True), (reference, False)):
        plain, calls = final(scheduler, set(), steps=12)
        moved, _ = final(scheduler, set(range(calls)), steps=12, told=told)
        lengths.append(float((moved - plain).square().mean().sqrt()))
    assert lengths[0] == pytest.approx(lengths[1], rel=0.12)


def test_channels_of_a_variance_stay() -> None:
    prediction = torch.zeros(1, 8, 2, 2)
    told = shifted(prediction, torch.ones(1, 4, 2, 2), -2.0)
    assert (told[:, :4] == -2).all()
    assert (told[:, 4:] == 0).all()
    assert not prediction.any()


def equation(name: str) -> tuple[Tensor, Tensor, Any]:
    """Latents of both schemes, and the trace of the second."""
    run = PIPELINES[name]()
    images = []
    for scheme in ("one-pass", "prediction"):
        with guide(run.pipe, PROMPTS, EXCITE, settings=settings_of(run, 0.1, scheme)) as guided:
            images.append(run())
    return images[0], images[1], guided.trace


@pytest.mark.parametrize(
    "name",
    ["StableDiffusionPipeline", "StableDiffusionPipeline, v-prediction (2.x)", "StableDiffusion3Pipeline",
     "FluxPipeline", "StableDiffusionImg2ImgPipeline"],
)  # fmt: skip
def test_images_are_those_of_one_pass_where_the_scheduler_is_first_order(name: str) -> None:
    one_pass, told, trace = equation(name)
    torch.testing.assert_close(told, one_pass, rtol=1e-3, atol=1e-3)
    assert (trace.gradient_rows, trace.backward_rows) == (0, 12)


def test_images_are_those_of_exact_where_a_step_refines() -> None:
    """The denoiser sees the refined latents, and the scheduler is told in the prediction."""
    pipe: Any = tiny_pipeline(torch.float64)
    settings = replace(TOLD, targets=((0.0, 0.0),), max_refinements=2, guided=0.25)
    images = []
    for scheme in ("exact", "prediction"):
        with guide(pipe, TWO, LOSS, settings=replace(settings, scheme=scheme)) as guided:
            images.append(latents_of(pipe, TWO))
    torch.testing.assert_close(images[1], images[0], rtol=1e-5, atol=1e-5)
    assert guided.trace[0].refinements == (2,)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(name for name in INTERVALS if not name.startswith(NOT_OF_UNETS)))
def test_every_scheduler_is_guided_at_every_step(name: str) -> None:
    pipe: Any = tiny_pipeline(scheduler=make(name, skip_prk_steps=name != "PNDMScheduler"))
    plain, before = latents_of(pipe, TWO), state(pipe)
    with guide(pipe, TWO, LOSS, settings=replace(TOLD, step_size=0.0)) as still:
        torch.testing.assert_close(latents_of(pipe, TWO), plain, rtol=1e-3, atol=1e-3)
    with guide(pipe, TWO, LOSS, settings=replace(TOLD, step_size=0.3, step_rule="rms")) as guided:
        moved = latents_of(pipe, TWO)
    assert moved.isfinite().all()
    assert all(step.is_guided for step in guided.trace)
    assert (moved - plain).abs().max() > 1e-3
    assert guided.trace[-1].loss[0] < still.trace[-1].loss[0]
    assert state(pipe) == before
    assert latents_of(pipe, TWO).equal(plain)


def test_image_that_restarts_goes_on_under_a_scheduler_that_corrects() -> None:
    pipe: Any = tiny_pipeline(scheduler=make("UniPCMultistepScheduler"))
    settings = replace(TOLD, restart=Restart(step=0.5, limit=-1.0, tries=1))
    with guide(pipe, TWO, LOSS, settings=settings) as guided:
        assert latents_of(pipe, TWO).isfinite().all()
    assert guided.trace.restarts[0].tries == 1


def test_scheduler_that_takes_no_update_is_refused_on_entry() -> None:
    pipe: Any = tiny_pipeline()
    pipe.scheduler = diffusers.IPNDMScheduler()
    with pytest.raises(UnsupportedScheduler, match="from 1 to 0"), guide(pipe, TWO, LOSS, settings=TOLD):
        pass


def test_unknown_scheme_is_refused() -> None:
    """Past the checker of types, which is there in tests alone."""
    settings: Any = SimpleNamespace(**vars(Settings()) | {"scheme": "two-pass"})
    with pytest.raises(SettingsError, match=r"exact, one-pass, prediction, select.*'two-pass'"):
        Settings.__post_init__(settings)
