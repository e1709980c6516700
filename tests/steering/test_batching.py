"""How the rows of a batch stand for images, where the pipeline differs from its denoiser's family."""

from typing import Any

import diffusers
import pytest
import torch

from heedful.attention import layout_of
from heedful.errors import UnsupportedPipeline
from heedful.guidance import NONE, Method, guide
from heedful.guidance.methods import AttendAndExciteLoss
from heedful.steering.batching import REFUSED, copies_in
from heedful.steering.call import Call
from tests.every_pipeline import PIPELINES, PROMPTS, SIZE, Run, like
from tests.family_pipelines import FAMILY_PIPELINES
from tests.guidance.test_every_pipeline import settings_of
from tests.more_pipelines import MORE_PIPELINES
from tests.pipelines import generator, tiny_pipeline, tiny_unet

# diffusers' schedulers hand tensors to numpy in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

LAYOUT = layout_of(tiny_unet())
EXCITE = Method(name="excite", loss=AttendAndExciteLoss())


class Pipe:
    def __init__(self, doubled: bool):
        self.do_classifier_free_guidance = doubled


class StableDiffusionInstructPix2PixPipeline(Pipe):
    """Only the name of the class counts."""


def arguments(latents: torch.Tensor, text: torch.Tensor) -> dict[str, Any]:
    return {"sample": latents, "encoder_hidden_states": text}


ROWS = arguments(torch.randn(12, 4, 2, 2), torch.randn(12, 3, 2))


def test_pipeline_knows_whether_its_batch_is_doubled() -> None:
    assert copies_in(Pipe(True), LAYOUT, ROWS, 3) == (2, -1)
    assert copies_in(Pipe(False), LAYOUT, ROWS, 3) == (1, -1)
    assert copies_in(object(), LAYOUT, ROWS, 3, is_guided=True) == (2, -1)


def test_pipeline_that_guides_by_text_and_image_apart_has_three_copies_and_the_condition_first() -> None:
    copies, condition = copies_in(StableDiffusionInstructPix2PixPipeline(True), LAYOUT, ROWS, 2)
    whole = Call(LAYOUT, ROWS, copies, 4, condition)
    assert whole.images == 4
    assert whole.latents.equal(ROWS["sample"][:4])
    others = whole.unconditional()
    assert others is not None and others["sample"].equal(ROWS["sample"][4:])
    rejoined = whole.whole((ROWS["sample"][:4],), (ROWS["sample"][4:],))
    assert rejoined[0].equal(ROWS["sample"])


def test_doubled_batch_is_recognised_in_a_loop_that_does_not_say() -> None:
    latents, text = torch.randn(2, 4, 2, 2), torch.randn(4, 3, 2)
    doubled = torch.cat([latents, latents])
    assert copies_in(object(), LAYOUT, arguments(doubled, text), 1) == (2, -1)
    assert copies_in(object(), LAYOUT, arguments(torch.randn(4, 4, 2, 2), text), 1) == (1, -1)
    assert copies_in(object(), LAYOUT, arguments(doubled, torch.cat([text[:2], text[:2]])), 1) == (1, -1)
    assert copies_in(object(), LAYOUT, arguments(latents[:1], text[:1]), 1) == (1, -1)
    assert copies_in(object(), LAYOUT, arguments(doubled, text), 4) == (1, -1)  # four prompts are four images


@pytest.mark.parametrize("guidance_scale", [1.0, 5.0])
@pytest.mark.parametrize(
    "name", ["StableDiffusionPipeline", "PixArtSigmaPipeline", "FluxPipeline", "StableDiffusionXLModularPipeline"]
)
def test_two_prompts_with_equal_seeds_are_two_images_each(name: str, guidance_scale: float) -> None:
    run = (PIPELINES | MORE_PIPELINES)[name]()
    run.arguments["generator"] = [generator(seed) for seed in (0, 1, 0, 1)]
    plain = run(guidance_scale)
    for method in (NONE, EXCITE):
        run.arguments["generator"] = [generator(seed) for seed in (0, 1, 0, 1)]
        with guide(run.pipe, PROMPTS, method, settings=settings_of(run, 0.0)) as guided:
            assert run(guidance_scale).equal(plain)
        assert guided.trace.images == 4
        assert guided.maps["cat"].isnan().flatten(1).any(1).tolist() == [False, False, True, True]


@pytest.mark.parametrize("scheme", ["exact", "one-pass"])
def test_pipeline_that_stores_the_attention_of_all_rows_gets_all_of_them(scheme: str) -> None:
    """Self-attention guidance blurs the image where the attention of the unconditional rows says so."""
    run = Run(like(tiny_pipeline(), diffusers.StableDiffusionSAGPipeline), num_images_per_prompt=1, **SIZE)
    plain = run()
    with guide(run.pipe, PROMPTS, EXCITE, settings=settings_of(run, 0.0, scheme)) as still:
        torch.testing.assert_close(run(), plain, rtol=1e-3, atol=1e-3)
    with guide(run.pipe, PROMPTS, EXCITE, settings=settings_of(run, 0.3, scheme)) as guided:
        run()
    assert guided.trace.images == 2
    assert sum(guided.trace[-1].loss) < sum(still.trace[-1].loss)


def test_pipelines_whose_rows_are_no_images_are_refused_on_entry() -> None:
    panorama = type("StableDiffusionPanoramaPipeline", (type(tiny_pipeline()),), {})
    pipe = like(tiny_pipeline(), panorama)
    with pytest.raises(UnsupportedPipeline, match="window of one image"), guide(pipe, "a cat and a dog", NONE):
        pass


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_every_refusal_says_why(name: str) -> None:
    pipe = like(tiny_pipeline(), type(name, (type(tiny_pipeline()),), {}))
    with pytest.raises(UnsupportedPipeline, match=REFUSED[name]), guide(pipe, "a cat and a dog", NONE):
        pass


def test_guidance_that_is_over_in_later_steps_leaves_the_condition_alone() -> None:
    """Z-Image asks without the negative prompt once a share of the steps is made."""
    run = FAMILY_PIPELINES["ZImagePipeline"]()
    run.arguments["cfg_truncation"] = 0.4
    plain = run()
    with guide(run.pipe, PROMPTS, EXCITE, settings=settings_of(run, 0.0)) as still:
        assert run().equal(plain)
    with guide(run.pipe, PROMPTS, EXCITE, settings=settings_of(run, 0.3)) as guided:
        run()
    assert guided.trace.plain_rows < 3 * 8
    assert sum(guided.trace[-1].loss) < sum(still.trace[-1].loss)


def test_residuals_of_longer_texts_are_cut_for_rows_of_shorter_ones() -> None:
    """Z-Image's ControlNet says something of each position of the padded sequence, the longest row's."""
    run = FAMILY_PIPELINES["ZImageControlNetPipeline"]()
    long = "a dog and a cat and a mouse and a frog"

    def images(scheme: str | None, step_size: float) -> Any:
        run.arguments["negative_prompt"] = [long, "a cat"]  # the pipeline writes its template into the list
        if scheme is None:
            return run()
        with guide(run.pipe, PROMPTS, EXCITE, settings=settings_of(run, step_size, scheme)) as guided:
            return run(), guided.trace

    plain = images(None, 0.0)
    assert plain.shape == (4, 4, 8, 12)
    still, before = images("one-pass", 0.0)
    torch.testing.assert_close(still, plain, rtol=1e-3, atol=1e-3)
    _, after = images("one-pass", 0.3)
    assert sum(after[-1].loss) < sum(before[-1].loss)
