"""The scheme that takes the gradient from the pass that predicts the noise."""

from dataclasses import replace
from typing import Any

import diffusers
import pytest
import torch
from torch import Tensor, nn

from heedful.attention import SiteSelection, capture
from heedful.errors import SettingsError
from heedful.guidance import Settings, guide
from heedful.guidance.methods import AttendAndExciteLoss, Retention
from heedful.prompts import Prompt
from tests.guidance.test_guide import fading, state
from tests.pipelines import generator, latents_of, tiny_pipeline, tiny_sdxl_pipeline

# diffusers' schedulers hand tensors to numpy in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

TWO = "a cat and a blue clock"
LOSS = AttendAndExciteLoss()
ONE_PASS = Settings(sites=SiteSelection(scale=2), step_size=5.0, guided=1.0, scheme="one-pass")


@pytest.fixture(scope="module")
def pipe() -> Any:
    return tiny_pipeline(torch.float64)


def noise(images: int = 1) -> Tensor:
    return torch.randn(images, 4, 8, 8, generator=generator(), dtype=torch.float64)


@pytest.mark.parametrize("guidance_scale", [1.0, 5.0])
def test_step_goes_from_moved_latents_with_the_prediction_at_unmoved_ones(pipe: Any, guidance_scale: float) -> None:
    """DDIM's step is linear in the latents: the update arrives times the factor that two plain runs show."""
    common: dict[str, Any] = {"num_inference_steps": 1, "guidance_scale": guidance_scale}
    plain = latents_of(pipe, TWO, latents=noise(), **common)
    with guide(pipe, TWO, LOSS, settings=replace(ONE_PASS, decay=(1.0, 1.0))):
        moved = latents_of(pipe, TWO, latents=noise(), **common)
    text = pipe.encode_prompt(TWO, "cpu", 1, False)[0]
    latents = noise().requires_grad_()
    timestep = pipe.scheduler.timesteps[0]
    with capture(pipe.unet, ONE_PASS.sites) as record:
        pipe.unet(latents, timestep, encoder_hidden_states=text)
    loss = LOSS(record.maps(), [Prompt.parse(TWO, pipe.tokenizer)])
    (gradient,) = torch.autograd.grad(loss.sum(), latents)
    still = torch.zeros_like(plain)
    scheduler = pipe.scheduler
    factor = (
        scheduler.step(still, timestep, torch.ones_like(plain)).prev_sample
        - scheduler.step(still, timestep, still).prev_sample
    )
    torch.testing.assert_close(moved - plain, -5.0 * gradient * factor, rtol=1e-6, atol=1e-9)


def test_no_row_is_run_twice_and_nothing_after_the_last_site_keeps_a_graph(pipe: Any) -> None:
    rows: list[int] = []
    graphs: list[bool] = []
    first = pipe.unet.conv_in.register_forward_hook(lambda module, args, output: rows.append(len(output)))
    last = pipe.unet.conv_out.register_forward_hook(
        lambda module, args, output: graphs.append(output.requires_grad or torch.is_grad_enabled())
    )
    try:
        with guide(pipe, TWO, LOSS, settings=ONE_PASS) as guided:
            latents_of(pipe, TWO, num_images_per_prompt=2)
    finally:
        first.remove()
        last.remove()
    assert sum(rows) == 4 * 2 * 2
    assert not any(graphs)
    trace = guided.trace
    assert (trace.plain_rows, trace.gradient_rows, trace.backward_rows) == (16, 0, 8)
    assert trace.relative_cost == pytest.approx(1 + 8 * 0.587 / 16)


def test_only_the_wanted_sites_keep_a_graph(pipe: Any) -> None:
    """With gradients until the middle, the blocks after it run without."""
    graphs: list[bool] = []

    def look(module: nn.Module, args: Any, output: Tensor) -> None:
        graphs.append(output.requires_grad)

    settings = replace(ONE_PASS, sites=SiteSelection(blocks=("down",)), guided=1.0)
    handles = [part.register_forward_hook(look) for part in (pipe.unet.mid_block, *pipe.unet.up_blocks)]
    try:
        with guide(pipe, TWO, LOSS, settings=settings):
            latents_of(pipe, TWO, num_inference_steps=1)
    finally:
        for handle in handles:
            handle.remove()
    assert len(graphs) == 8
    assert not any(graphs)


def test_pipeline_is_bit_for_bit_as_it_was(pipe: Any) -> None:
    plain, before = latents_of(pipe, TWO), state(pipe)
    with guide(pipe, TWO, LOSS, settings=ONE_PASS):
        moved = latents_of(pipe, TWO)
    assert state(pipe) == before
    assert torch.is_grad_enabled()
    assert not moved.equal(plain)
    assert latents_of(pipe, TWO).equal(plain)


def test_step_size_zero_changes_nothing(pipe: Any) -> None:
    with guide(pipe, TWO, LOSS, settings=replace(ONE_PASS, step_size=0.0)):
        torch.testing.assert_close(latents_of(pipe, TWO, latents=noise()), latents_of(pipe, TWO, latents=noise()))


def test_first_loss_is_that_of_the_exact_scheme_and_maps_are_kept(pipe: Any) -> None:
    with guide(pipe, TWO, LOSS, settings=replace(ONE_PASS, scheme="exact")) as exact:
        latents_of(pipe, TWO, latents=noise())
    with guide(pipe, TWO, LOSS, settings=ONE_PASS) as guided:
        latents_of(pipe, TWO, latents=noise())
    assert guided.trace[0].loss == pytest.approx(exact.trace[0].loss, rel=1e-9)
    assert guided.trace[-1].loss != pytest.approx(exact.trace[-1].loss, rel=1e-9)
    assert guided.maps["cat"].shape == exact.maps["cat"].shape == (1, 4, 4, 4)


def test_guidance_lowers_the_loss(pipe: Any) -> None:
    losses = []
    for step_size in (0.0, 5.0):
        with guide(pipe, TWO, LOSS, settings=replace(ONE_PASS, step_size=step_size)) as guided:
            latents_of(pipe, TWO, latents=noise())
        losses.append(guided.trace[1].loss[0])
    assert losses[1] < losses[0]


def test_image_in_a_batch_equals_the_same_image_alone(pipe: Any) -> None:
    prompts, loss = ["a cat and a dog", "a frog and a red car"], LOSS + Retention()
    with guide(pipe, prompts, loss, settings=ONE_PASS):
        whole = latents_of(pipe, prompts, latents=noise(2))
    with guide(pipe, prompts[1], loss, settings=ONE_PASS):
        single = latents_of(pipe, prompts[1], latents=noise(2)[1:])
    torch.testing.assert_close(whole[1:], single, rtol=1e-8, atol=1e-8)


def test_step_that_refines_is_exact(pipe: Any) -> None:
    settings = replace(ONE_PASS, targets=((0.0, 0.0),), max_refinements=2)
    with guide(pipe, TWO, LOSS, settings=settings) as guided:
        latents_of(pipe, TWO)
    assert guided.trace[0].refinements == (2,)
    assert guided.trace.gradient_rows == 3
    assert guided.trace.backward_rows == 3


def test_gradient_that_is_not_finite_leaves_the_image_out(pipe: Any) -> None:
    def broken(maps: Any, prompts: Any, previous: Any = None) -> Tensor:
        return LOSS(maps, prompts) * torch.tensor([torch.nan, 1.0])

    plain = latents_of(pipe, [TWO, TWO], latents=noise(2))
    with (
        pytest.warns(RuntimeWarning, match="image 0 at step 0"),
        guide(pipe, [TWO, TWO], broken, settings=ONE_PASS) as guided,
    ):
        moved = latents_of(pipe, [TWO, TWO], latents=noise(2))
    torch.testing.assert_close(moved[0], plain[0])
    assert not moved[1].equal(plain[1])
    assert guided.trace.skipped == 4


@pytest.mark.parametrize("scheduler", [diffusers.EulerDiscreteScheduler, diffusers.DPMSolverMultistepScheduler])
def test_other_schedulers(scheduler: Any) -> None:
    pipe: Any = tiny_pipeline(torch.float64, scheduler=scheduler(steps_offset=1))
    plain = latents_of(pipe, TWO)
    with guide(pipe, TWO, LOSS, settings=ONE_PASS) as guided:
        moved = latents_of(pipe, TWO)
    assert (moved - plain).abs().max() > 1e-4
    assert guided.trace.backward_rows == 4


def test_sdxl() -> None:
    pipe: Any = tiny_sdxl_pipeline()
    plain = latents_of(pipe, TWO)
    with guide(pipe, TWO, LOSS, settings=ONE_PASS):
        assert not latents_of(pipe, TWO).equal(plain)
    assert latents_of(pipe, TWO).equal(plain)


def test_images_that_are_good_enough_cost_no_way_back(pipe: Any) -> None:
    with guide(pipe, TWO, fading((0.5,), (0.1,)), settings=replace(ONE_PASS, enough=0.1)) as guided:
        latents_of(pipe, TWO)
    assert guided.trace.backward_rows == 2
    assert [step.is_guided for step in guided.trace] == [True, True, False, False]


def test_condition_alone_is_a_guidance_scale_of_one(pipe: Any) -> None:
    """While steps are guided; the rows that are left out are not paid for."""
    rows: list[int] = []
    settings = replace(ONE_PASS, condition_alone=1)
    with guide(pipe, TWO, LOSS, settings=ONE_PASS):
        expected = latents_of(pipe, TWO, latents=noise(), guidance_scale=1.0)
    handle = pipe.unet.conv_in.register_forward_hook(lambda module, args, output: rows.append(len(output)))
    try:
        with guide(pipe, TWO, LOSS, settings=settings) as guided:
            found = latents_of(pipe, TWO, latents=noise(), guidance_scale=5.0)
    finally:
        handle.remove()
    torch.testing.assert_close(found, expected)
    assert rows == [1, 1, 1, 1]
    trace = guided.trace
    assert (trace.plain_rows, trace.spared_rows, trace.backward_rows) == (8, 4, 4)
    assert trace.cost(0.5, 0.5) == pytest.approx((8 - 4 + 4 * 0.5) / 8)


@pytest.mark.parametrize("scheme", ["one-pass", "exact"])
def test_updates_after_the_first_are_bounded_by_how_far_a_step_moves_the_latents(pipe: Any, scheme: str) -> None:
    settings = replace(ONE_PASS, scheme=scheme, decay=(1.0, 1.0))
    images = {}
    for name, changes in {
        "first": {"guided": 0.25},
        "bound": {"longest": 1e-9},
        "free": {},
        "far": {"longest": 1e9},
    }.items():
        with guide(pipe, TWO, LOSS, settings=replace(settings, **changes)) as guided:
            images[name] = latents_of(pipe, TWO, latents=noise(), num_inference_steps=4)
        assert sum(step.is_guided for step in guided.trace) == (1 if name == "first" else 4)
    torch.testing.assert_close(images["bound"], images["first"], rtol=1e-6, atol=1e-6)
    assert not torch.allclose(images["free"], images["first"], rtol=1e-3, atol=1e-3)
    assert images["far"].equal(images["free"])


def test_condition_alone_belongs_to_one_pass() -> None:
    with pytest.raises(SettingsError, match='scheme="one-pass"'):
        Settings(condition_alone=0.5)
    with pytest.raises(SettingsError, match="Expected a share of the run for condition_alone, got True"):
        Settings(scheme="one-pass", condition_alone=True)


def test_condition_alone_goes_on_after_the_guided_steps(pipe: Any) -> None:
    """Two guided steps and a third without the unconditional rows; the fourth asks both."""
    rows: list[int] = []
    settings = replace(ONE_PASS, guided=0.5, condition_alone=0.75)
    handle = pipe.unet.conv_in.register_forward_hook(lambda module, args, output: rows.append(len(output)))
    try:
        with guide(pipe, TWO, LOSS, settings=settings) as guided:
            latents_of(pipe, TWO, latents=noise(), guidance_scale=5.0)
    finally:
        handle.remove()
    assert rows == [1, 1, 1, 2]
    assert len(guided.maps) == 4
    assert (guided.trace.plain_rows, guided.trace.spared_rows, guided.trace.backward_rows) == (8, 3, 2)
