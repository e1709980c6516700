"""A hand-written loop is guided as a pipeline is: by a denoiser, a scheduler and a tokenizer."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from heedful.attention import SiteSelection
from heedful.errors import PipelineError
from heedful.guidance import NONE, Method, Settings, guide
from heedful.guidance.methods import AttendAndExciteLoss
from tests.pipelines import generator, latents_of, tiny_pipeline

TWO = "a cat and a blue clock"
EXCITE = Method(name="excite", loss=AttendAndExciteLoss())
SETTINGS = Settings(sites=SiteSelection(scale=2), step_size=0.3, step_rule="rms", guided=1.0)


def parts(pipe: Any, **more: Any) -> SimpleNamespace:
    names = ("unet", "scheduler", "tokenizer", "text_encoder")
    return SimpleNamespace(**{name: getattr(pipe, name) for name in names}, **more)


def loop(pipe: Any, order: str, scale: float = 5.0) -> torch.Tensor:
    """Two images by the pipeline's parts alone: both predictions in one call, or in two."""
    length = pipe.tokenizer.model_max_length
    ids = pipe.tokenizer(["", TWO], padding="max_length", max_length=length, return_tensors="pt").input_ids
    pipe.scheduler.set_timesteps(3)
    latents = torch.randn(2, 4, 8, 8, generator=generator())
    with torch.no_grad():
        empty, text = pipe.text_encoder(ids)[0].repeat_interleave(2, dim=0).chunk(2)
        for now in pipe.scheduler.timesteps:

            def ask(*rows: torch.Tensor, latents: torch.Tensor = latents, now: Any = now) -> torch.Tensor:
                batch = torch.cat([latents] * len(rows))
                return pipe.unet(batch, now, encoder_hidden_states=torch.cat(rows)).sample

            if order == "together":
                unconditional, conditional = ask(empty, text).chunk(2)
            elif order == "condition first":
                conditional, unconditional = ask(text), ask(empty)
            else:
                unconditional, conditional = ask(empty), ask(text)
            noise = unconditional + scale * (conditional - unconditional)
            latents = pipe.scheduler.step(noise, now, latents).prev_sample
    return latents


@pytest.mark.parametrize("is_said", [True, False], ids=["said", "not said"])
@pytest.mark.parametrize("order", ["together", "condition first"])
def test_loop_gives_the_guided_images_of_the_pipeline(order: str, is_said: bool) -> None:
    pipe = tiny_pipeline()
    with guide(pipe, TWO, EXCITE, settings=SETTINGS) as guided:
        expected = latents_of(pipe, TWO, num_images_per_prompt=2, num_inference_steps=3, guidance_scale=5.0)
    loss = guided.trace[-1].loss
    own = parts(pipe, **({"do_classifier_free_guidance": order == "together"} if is_said else {}))
    plain = loop(pipe, order)
    with guide(own, TWO, EXCITE, settings=SETTINGS) as guided:
        torch.testing.assert_close(loop(pipe, order), expected, rtol=1e-4, atol=1e-4)
    assert guided.trace.images == 2
    assert guided.trace[-1].loss == pytest.approx(loss, rel=1e-3)
    assert loop(pipe, order).equal(plain)


@pytest.mark.parametrize("method", [NONE, EXCITE], ids=["none", "excite"])
def test_loop_that_asks_for_the_empty_prompt_first_is_refused(method: Method) -> None:
    pipe = tiny_pipeline()
    with (
        guide(parts(pipe), TWO, method, settings=SETTINGS),
        pytest.raises(PipelineError, match="with the prompt first, got the one with the empty prompt"),
    ):
        loop(pipe, "condition last")
