"""`guide` on whole pipelines: nothing left behind, images independent of each other, errors with remedies."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from heedful.attention import Maps, SiteSelection
from heedful.errors import (
    ConceptNotFound,
    SettingsError,
)
from heedful.guidance import METHODS, Method, Settings, guide
from heedful.guidance.methods import A_STAR, ATTEND_AND_EXCITE, NONE, RANDOM, AttendAndExciteLoss, Retention
from heedful.losses import TextShares
from heedful.prompts import Prompt
from tests.pipelines import generator, latents_of, tiny_pipeline

# diffusers' schedulers hand tensors to numpy in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

TWO = "a cat and a blue clock"
SHORT = Settings(sites=SiteSelection(scale=2), step_size=20.0, guided=1.0)
REFINING = replace(SHORT, targets=((0.0, 0.9),), max_refinements=3)


@pytest.fixture(scope="module")
def pipe() -> Any:
    return tiny_pipeline()


def state(pipe: Any) -> Any:
    """Everything on denoiser and scheduler that guidance could leave behind."""
    modules = [
        (
            name,
            sorted(vars(module)),
            [len(value) for key, value in sorted(vars(module).items()) if "hooks" in key],
            [parameter.requires_grad for parameter in module.parameters(recurse=False)],
            getattr(module, "gradient_checkpointing", None),
        )
        for name, module in pipe.unet.named_modules()
    ]
    return (
        modules,
        sorted(vars(pipe.scheduler)),
        sorted(vars(pipe)),
        {k: type(v) for k, v in pipe.unet.attn_processors.items()},
    )


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_pipeline_is_bit_for_bit_as_it_was_after_a_guided_run(pipe: Any, method: Method) -> None:
    plain = latents_of(pipe, TWO)
    before = state(pipe)
    with guide(pipe, TWO, method, settings=SHORT):
        guided = latents_of(pipe, TWO)
    assert state(pipe) == before
    assert latents_of(pipe, TWO).equal(plain)
    assert guided.isfinite().all()
    assert guided.equal(plain) == (method.loss is None)


@pytest.mark.parametrize("where", ["scheduler", "denoiser", "loss", "block"])
def test_pipeline_is_bit_for_bit_as_it_was_after_an_error(pipe: Any, where: str) -> None:
    plain = latents_of(pipe, TWO)
    before = state(pipe)

    def broken(*_: Any) -> Any:
        raise KeyError(where)

    method: Any = broken if where == "loss" else ATTEND_AND_EXCITE
    with pytest.raises(KeyError, match=where), guide(pipe, TWO, method, settings=SHORT):
        if where == "block":
            broken()
        if where == "denoiser":
            handle = pipe.unet.up_blocks[-1].register_forward_hook(broken)
        callback = broken if where == "scheduler" else None
        try:
            latents_of(pipe, TWO, callback_on_step_end=callback)
        finally:
            if where == "denoiser":
                handle.remove()
    assert state(pipe) == before
    assert latents_of(pipe, TWO).equal(plain)


def test_errors_on_entry_touch_nothing(pipe: Any) -> None:
    before = state(pipe)
    with pytest.raises(ConceptNotFound), guide(pipe, TWO, A_STAR, concepts=["zebra"]):
        pass
    assert state(pipe) == before


@pytest.mark.parametrize("guidance_scale", [1.0, 5.0])
@pytest.mark.parametrize("settings", [SHORT, REFINING], ids=["update", "refinement"])
def test_image_in_a_batch_equals_the_same_image_alone(guidance_scale: float, settings: Settings) -> None:
    """Six mixed prompts with one, two and three concepts, in float64."""
    pipe = tiny_pipeline(torch.float64)
    prompts = ["a cat and a dog", "a frog", "a red car and a blue clock", TWO, "a cat a dog and a frog", "a red bench"]
    concepts = [["cat", "dog"], ["frog"], ["car", "clock"], ["cat"], ["cat", "dog", "frog"], ["bench"]]
    loss = AttendAndExciteLoss() + Retention() + 0.5 * AttendAndExciteLoss(shares=TextShares(columns="text"))
    noise = torch.randn(6, 4, 8, 8, generator=generator(), dtype=torch.float64)
    common: dict[str, Any] = {"guidance_scale": guidance_scale, "num_inference_steps": 2}
    with guide(pipe, prompts, loss, concepts, settings=settings) as together:
        whole = latents_of(pipe, prompts, latents=noise, **common)
    for item in (1, 4):
        with guide(pipe, prompts[item], loss, concepts[item], settings=settings) as alone:
            single = latents_of(pipe, prompts[item], latents=noise[item : item + 1], **common)
        torch.testing.assert_close(whole[item : item + 1], single, rtol=1e-8, atol=1e-8)
        assert [step.refinements[item] for step in together.trace] == [step.refinements[0] for step in alone.trace]


def test_several_images_per_prompt_are_guided_by_their_own_prompt() -> None:
    pipe = tiny_pipeline(torch.float64)
    prompts = ["a cat and a dog", "a frog and a bench"]
    noise = torch.randn(4, 4, 8, 8, generator=generator(), dtype=torch.float64)
    with guide(pipe, prompts, AttendAndExciteLoss(), settings=SHORT) as guided:
        whole = latents_of(pipe, prompts, latents=noise, num_images_per_prompt=2)
    assert guided.maps["cat"].isnan().flatten(1).any(1).tolist() == [False, False, True, True]
    with guide(pipe, prompts[1], AttendAndExciteLoss(), settings=SHORT):
        single = latents_of(pipe, prompts[1], latents=noise[2:], num_images_per_prompt=2)
    torch.testing.assert_close(whole[2:], single, rtol=1e-8, atol=1e-8)


def test_guidance_lowers_the_loss(pipe: Any) -> None:
    with guide(pipe, TWO, AttendAndExciteLoss(), settings=replace(SHORT, step_size=0.0)) as plain:
        latents_of(pipe, TWO)
    with guide(pipe, TWO, AttendAndExciteLoss(), settings=SHORT) as guided:
        latents_of(pipe, TWO)
    assert guided.trace[-1].loss[0] < plain.trace[-1].loss[0]


def test_maps_of_method_none_are_those_of_the_plain_run(pipe: Any) -> None:
    with guide(pipe, TWO, NONE, settings=SHORT) as guided:
        latents_of(pipe, TWO, num_images_per_prompt=2, height=16, width=24)
    assert guided.maps["cat"].shape == (2, 4, 4, 6)
    assert guided.trace.gradient_rows == 0
    assert guided.trace.plain_rows == 4 * 2 * 2
    assert not any(step.is_guided for step in guided.trace)
    assert ((guided.maps.tokens >= 0) & (guided.maps.tokens <= 1)).all()


def test_maps_are_of_the_conditional_half(pipe: Any) -> None:
    common = {"latents": torch.randn(1, 4, 8, 8, generator=generator()), "num_inference_steps": 1}
    with guide(pipe, TWO, NONE, settings=SHORT) as doubled:
        latents_of(pipe, TWO, guidance_scale=5.0, **common)
    with guide(pipe, TWO, NONE, settings=SHORT) as single:
        latents_of(pipe, TWO, guidance_scale=1.0, **common)
    torch.testing.assert_close(doubled.maps.tokens, single.maps.tokens)


def test_no_gradient_pass_is_run_on_steps_without_an_update(pipe: Any) -> None:
    with guide(pipe, TWO, AttendAndExciteLoss(), settings=replace(SHORT, guided=0.5)) as guided:
        latents_of(pipe, TWO)
    assert [step.is_guided for step in guided.trace] == [True, True, False, False]
    assert guided.trace.gradient_rows == 2
    assert guided.trace.relative_cost == pytest.approx(1 + 2 * (0.494 + 0.587) / 8)


def fading(*losses: tuple[float, ...]) -> Any:
    """A loss with a gradient and told values, one tuple a look."""
    told = list(losses)

    def loss(maps: Any, prompts: Any, previous: Any = None) -> Tensor:
        values = maps.tokens.flatten(1).square().sum(1)
        return values - values.detach() + torch.tensor(told.pop(0), dtype=torch.float64).to(values)

    return loss


def test_image_that_is_good_enough_is_guided_no_more(pipe: Any) -> None:
    """The second after the first look, the first after the third, the fourth step is not looked at."""
    settings = replace(SHORT, enough=0.11)
    told = fading((0.5, 0.1), (0.4,), (0.05,))
    with guide(pipe, [TWO, TWO], told, settings=settings) as guided:
        latents_of(pipe, [TWO, TWO])
    assert guided.trace.gradient_rows == 2 + 1 + 1
    losses = [step.loss for step in guided.trace]
    assert losses[0] == pytest.approx((0.5, 0.1))
    assert losses[1] == pytest.approx((0.4, torch.nan), nan_ok=True)
    assert losses[3] == ()
    assert not guided.trace[3].is_guided


def test_image_that_was_good_enough_is_the_plain_one() -> None:
    pipe = tiny_pipeline(torch.float64)
    noise = torch.randn(2, 4, 8, 8, generator=generator(), dtype=torch.float64)
    plain = latents_of(pipe, [TWO, TWO], latents=noise)
    with guide(pipe, [TWO, TWO], fading((0.5, 0.1), (0.4,), (0.4,), (0.4,)), settings=replace(SHORT, enough=0.1)):
        moved = latents_of(pipe, [TWO, TWO], latents=noise)
    torch.testing.assert_close(moved[1], plain[1])
    assert not moved[0].isclose(plain[0]).all()


def test_gradient_pass_sees_the_condition_only_and_frozen_parameters(pipe: Any) -> None:
    seen: list[tuple[int, bool, bool]] = []

    def look(module: nn.Module, args: Any) -> None:
        frozen = not any(parameter.requires_grad for parameter in pipe.unet.parameters())
        seen.append((args[0].shape[0], frozen, torch.is_grad_enabled()))

    handle = pipe.unet.conv_in.register_forward_pre_hook(look)
    with guide(pipe, TWO, AttendAndExciteLoss(), settings=replace(SHORT, guided=0.5)):
        latents_of(pipe, TWO, num_inference_steps=2)
    handle.remove()
    assert seen == [(1, True, True), (2, False, False), (2, False, False)]  # frozen in the gradient pass alone
    assert all(parameter.requires_grad for parameter in pipe.unet.parameters())


def test_parameters_that_were_frozen_stay_frozen() -> None:
    pipe = tiny_pipeline()
    pipe.unet.conv_in.requires_grad_(False)
    pipe.unet.enable_gradient_checkpointing()
    latents_of(pipe, TWO, num_inference_steps=1)
    before = state(pipe)
    with guide(pipe, TWO, AttendAndExciteLoss(), settings=SHORT):
        latents_of(pipe, TWO)
    assert state(pipe) == before


def broken_for_the_first(maps: Maps, prompts: Sequence[Prompt], previous: Maps | None) -> Tensor:
    loss = AttendAndExciteLoss()(maps, prompts)
    return torch.cat([loss[:1] * torch.nan, loss[1:]])


def test_gradient_that_is_not_finite_leaves_that_image_alone_and_says_so_once(pipe: Any) -> None:
    noise = torch.randn(2, 4, 8, 8, generator=generator())
    plain = latents_of(pipe, TWO, latents=noise, num_images_per_prompt=2)
    with (
        pytest.warns(RuntimeWarning, match="image 0 at step 0") as warned,
        guide(pipe, TWO, broken_for_the_first, settings=SHORT) as guided,
    ):
        images = latents_of(pipe, TWO, latents=noise, num_images_per_prompt=2)
    assert len(warned) == 1
    assert guided.trace.skipped == 4
    torch.testing.assert_close(images[0], plain[0])
    assert not torch.allclose(images[1], plain[1])


def test_previous_maps_are_those_of_the_step_before(pipe: Any) -> None:
    given: list[Maps | None] = []

    def loss(maps: Maps, prompts: Sequence[Prompt], previous: Maps | None) -> Tensor:
        given.append(previous)
        return AttendAndExciteLoss()(maps, prompts)

    with guide(pipe, TWO, loss, settings=replace(SHORT, guided=0.75)) as guided:
        latents_of(pipe, TWO)
    assert given[0] is None
    for step in (1, 2):
        previous = given[step]
        assert previous is not None
        assert previous.tokens[:, : guided.prompts[0].end + 1].equal(guided.maps.at(step - 1).tokens)


def test_maps_need_not_be_kept(pipe: Any) -> None:
    with guide(pipe, TWO, A_STAR, settings=SHORT) as kept:
        expected = latents_of(pipe, TWO)
    with guide(pipe, TWO, A_STAR, settings=SHORT, keep_maps=False) as unkept:
        assert latents_of(pipe, TWO).equal(expected)
    assert (len(kept.maps), len(unkept.maps)) == (4, 0)


def test_each_run_in_a_block_starts_anew(pipe: Any) -> None:
    with guide(pipe, TWO, A_STAR, settings=SHORT) as guided:
        first = latents_of(pipe, TWO)
        with pytest.raises(KeyError):
            latents_of(pipe, TWO, callback_on_step_end=lambda *_: {}["interrupted"])
        assert latents_of(pipe, TWO).equal(first)
    assert len(guided.trace) == len(guided.maps) == 4


def test_random_directions_come_from_the_seeds_of_the_images(pipe: Any) -> None:
    noise = torch.randn(2, 4, 8, 8, generator=generator())
    results = []
    for seeds, latents in (([1, 2], noise), ([1, 3], noise), ([2], noise[1:])):
        with guide(pipe, TWO, RANDOM, settings=replace(SHORT, step_size=0.1, step_rule="rms"), retry_seeds=seeds):
            results.append(latents_of(pipe, TWO, latents=latents, num_images_per_prompt=len(seeds)))
    first, other, alone = results
    torch.testing.assert_close(first[0], other[0])
    assert not torch.allclose(first[1], other[1])
    torch.testing.assert_close(first[1:], alone, rtol=1e-4, atol=1e-4)
    with (
        pytest.raises(SettingsError, match="1 seeds for 2 images"),
        guide(pipe, TWO, RANDOM, settings=SHORT, retry_seeds=[1]),
    ):
        latents_of(pipe, TWO, num_images_per_prompt=2)
