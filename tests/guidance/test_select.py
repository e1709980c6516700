"""The scheme without gradients: of several noises, the one with the least loss goes on."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from heedful.attention import SiteSelection
from heedful.errors import SettingsError
from heedful.guidance import Method, Restart, Settings, guide
from heedful.guidance.methods import INITNO, AttendAndExciteLoss, SelfConflict
from heedful.steering.levels import INTERVALS
from heedful.steering.past import graft
from tests.every_pipeline import PIPELINES, PROMPTS
from tests.guidance.test_every_pipeline import EXCITE, settings_of
from tests.guidance.test_guide import state
from tests.pipelines import generator, latents_of, tiny_pipeline
from tests.steering.test_policy import make
from tests.steering.test_restart import Told, noise

# diffusers' schedulers hand tensors to numpy in a way that numpy 2 warns of.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*numpy.*:DeprecationWarning"),
]

TWO = "a cat and a blue clock"
METHOD = Method(name="excite", loss=AttendAndExciteLoss())
SELECT = Settings(sites=SiteSelection(scale=2), scheme="select")
DETERMINISTIC = [
    "DDIMScheduler", "DEISMultistepScheduler", "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler",
    "EulerDiscreteScheduler", "HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "LMSDiscreteScheduler",
    "PNDMScheduler", "UniPCMultistepScheduler",
]  # fmt: skip


@pytest.fixture(scope="module")
def pipe() -> Any:
    return tiny_pipeline()


def told(*looks: list[float], step: float = 0.5) -> Settings:
    return replace(SELECT, restart=Restart(step=step, limit=-1.0, tries=len(looks) - 1, loss=Told(*looks)))


def test_no_pass_has_gradients_and_all_is_as_it_was(pipe: Any) -> None:
    grads: list[bool] = []
    handle = pipe.unet.conv_in.register_forward_hook(lambda *_: grads.append(torch.is_grad_enabled()))
    plain, before = latents_of(pipe, TWO), state(pipe)
    with guide(pipe, TWO, METHOD, settings=SELECT, retry_seeds=[5]) as guided:
        chosen = latents_of(pipe, TWO)
    assert state(pipe) == before
    handle.remove()
    assert not any(grads)
    assert latents_of(pipe, TWO).equal(plain)
    (found,) = guided.trace.restarts
    assert found.tries == 4
    assert len(found.losses) == 5
    assert found.chosen == found.losses.index(min(found.losses))
    assert found.loss == (found.losses[0], min(found.losses))
    assert chosen.equal(plain) == (found.chosen == 0)
    assert not any(step.is_guided for step in guided.trace)


def test_cost_is_a_row_for_each_step_that_is_looked_at(pipe: Any) -> None:
    """4 steps, of which the first is looked at by 4 more noises: 4 rows beside the 8 of classifier-free guidance."""
    with guide(pipe, TWO, METHOD, settings=SELECT, retry_seeds=[5]) as guided:
        latents_of(pipe, TWO, num_inference_steps=4)
    trace = guided.trace
    assert (trace.plain_rows, trace.restart_rows, trace.gradient_rows, trace.backward_rows) == (8, 4, 0, 0)
    assert trace.relative_cost == pytest.approx(12 / 8)
    assert "the noises that went on (0 is the pipeline's own): " in repr(trace)
    assert trace.to_dict()["restarts"][0]["chosen"] == trace.restarts[0].chosen


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", DETERMINISTIC)
def test_image_is_what_the_pipeline_makes_of_the_noise_that_goes_on(name: str) -> None:
    """Also where the scheduler remembers what it saw of the first noise."""
    pipe: Any = tiny_pipeline(torch.float64, scheduler=make(name))
    other = noise(1, 3).double()
    with guide(pipe, TWO, METHOD, settings=told([0.9], [0.1]), retry_seeds=[3]) as guided:
        image = latents_of(pipe, TWO, guidance_scale=1.0, num_inference_steps=5)
    assert guided.trace.restarts[0].chosen == 1
    expected = latents_of(pipe, TWO, latents=other, guidance_scale=1.0, num_inference_steps=5)
    torch.testing.assert_close(image, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name", sorted(name for name in INTERVALS if name not in DETERMINISTIC and not name.startswith(("EDM", "SCM")))
)
def test_schedulers_that_draw_noise_and_those_of_flow_matching_go_on(name: str) -> None:
    run: Any = PIPELINES["StableDiffusion3Pipeline"]() if "Flow" in name else None
    pipe: Any = tiny_pipeline() if run is None else run.pipe
    pipe.scheduler = make(name)
    with guide(pipe, TWO, METHOD, settings=replace(SELECT, sites=SiteSelection())) as guided:
        extra: dict[str, Any] = {"max_sequence_length": 32} if run else {}
        images = pipe(TWO, num_inference_steps=4, output_type="latent", generator=generator(), **extra).images
    assert images.isfinite().all()
    assert len(guided.trace.restarts[0].losses) == 5


def test_run_of_one_step_looks_at_each_noise_first(pipe: Any) -> None:
    settings = told([0.9], [0.3], [0.5])
    with guide(pipe, TWO, METHOD, settings=settings, retry_seeds=[3]) as guided:
        image = latents_of(pipe, TWO, num_inference_steps=1)
    trace = guided.trace
    assert trace.restarts[0].chosen == 1
    assert (trace.look_rows, trace.restart_rows, trace.plain_rows) == (3, 0, 2)
    assert trace.cost(0.5, 0.5) == pytest.approx(3.5 / 2)
    torch.testing.assert_close(image, latents_of(pipe, TWO, num_inference_steps=1, latents=noise(1, 3)))


@pytest.mark.parametrize("name", ["StableDiffusionXLPipeline", "PixArtSigmaPipeline", "FluxPipeline, negative prompt"])
def test_each_image_of_a_batch_has_a_choice_of_its_own(name: str) -> None:
    run = PIPELINES[name]()
    plain = run()
    settings = replace(settings_of(run, 0.0), scheme="select")
    with guide(run.pipe, PROMPTS, EXCITE, settings=settings) as guided:
        images = run()
    kept = [restart.chosen == 0 for restart in guided.trace.restarts]
    assert not all(kept)
    assert [(one - other).abs().max() < 1e-3 for one, other in zip(images, plain, strict=True)] == kept
    assert run().equal(plain)


@pytest.mark.parametrize("shape", [(4, 8, 8), (16, 4)], ids=["grid", "packed"])
def test_memory_of_a_scheduler_follows_the_noise(shape: tuple[int, ...]) -> None:
    """FLUX's latents are packed, and Heun's method remembers them."""
    source, target = make("FlowMatchHeunDiscreteScheduler"), make("FlowMatchHeunDiscreteScheduler")
    source.sample, target.sample = torch.ones(1, *shape), torch.zeros(3, *shape)
    before = target.sigmas.clone()
    graft(source, 0, target, 2)
    assert target.sample.flatten(1).mean(1).tolist() == [0, 0, 1]
    assert target.sigmas.equal(before)


def test_inference_mode_and_weights_of_it_are_fine() -> None:
    with torch.inference_mode():
        pipe = tiny_pipeline()
        with guide(pipe, TWO, METHOD, settings=SELECT) as guided:
            assert latents_of(pipe, TWO).isfinite().all()
    assert guided.trace.restarts[0].tries == 4


def test_loss_that_needs_self_attention_sees_it(pipe: Any) -> None:
    method = Method(name="conflict", loss=SelfConflict())
    with guide(pipe, TWO, method, settings=SELECT) as guided:
        latents_of(pipe, TWO)
    assert all(torch.tensor(guided.trace.restarts[0].losses).isfinite())
    with guide(pipe, TWO, method, settings=SELECT) as guided:
        latents_of(pipe, TWO, num_inference_steps=1)
    assert guided.trace.restarts[0].tries == 4


def test_compiled_denoiser_runs_plainly_only_where_it_is_read() -> None:
    pipe = tiny_pipeline()
    passes: list[str] = []

    def backend(graph: Any, inputs: Any) -> Any:
        def run(*args: Any) -> Any:
            passes.append("compiled")
            return graph(*args)

        return run

    torch._dynamo.reset()
    pipe.unet = torch.compile(pipe.unet, backend=backend)
    with guide(pipe, TWO, METHOD, settings=SELECT, keep_maps=False) as guided:
        assert latents_of(pipe, TWO, num_inference_steps=4).isfinite().all()
    assert guided.trace.restarts[0].tries == 4
    assert passes


def test_what_needs_a_gradient_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"initial noise.*select"):
        replace(INITNO.settings, scheme="select", targets=())
    with pytest.raises(SettingsError, match="condition_alone"):
        Settings(scheme="select", condition_alone=0.5)
