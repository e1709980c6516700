"""Pipelines with two denoisers that take turns: Wan 2.2 has one for early steps and one for late ones."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from heedful.attention import SiteSelection
from heedful.errors import PipelineError
from heedful.guidance import guide
from heedful.steering.update import stream
from tests.every_pipeline import Run
from tests.family_pipelines import FAMILY_PIPELINES
from tests.guidance.test_every_pipeline import EXCITE, settings_of
from tests.guidance.test_select import told
from tests.single_stream_pipelines import wan_transformer

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # diffusers' schedulers, of numpy


def two() -> Run:
    """The first makes one step of three."""
    run = FAMILY_PIPELINES["WanPipeline, 2.2 with two transformers"]()
    run.prompts, run.arguments["num_videos_per_prompt"] = run.prompts[:1], 1
    return run


def test_each_guides_the_steps_that_it_makes_and_all_is_as_it_was() -> None:
    run = two()
    passes: list[str] = []
    for name in ("transformer", "transformer_2"):
        part = getattr(run.pipe, name)
        part.blocks[0].register_forward_pre_hook(lambda *_, name=name: passes.append(name))
    plain = run(1.0)
    assert passes == ["transformer", "transformer_2", "transformer_2"]
    passes.clear()
    with guide(run.pipe, run.prompts, EXCITE, settings=settings_of(run, 0.3)) as guided:
        run(1.0)
    assert passes == ["transformer"] * 2 + ["transformer_2"] * 4
    assert all(step.is_guided for step in guided.trace)
    assert guided.maps["cat"].shape == (1, 3, 8, 6)
    assert not any("forward" in vars(part) for part in (run.pipe.transformer, run.pipe.transformer_2))
    assert run(1.0).equal(plain)


def test_steps_before_a_restart_are_repeated_by_the_denoiser_that_made_them() -> None:
    """The restart is asked for in the last step, which is one of the second denoiser."""
    run = two()
    settings = replace(told([0.9], [0.1], step=0.6), sites=SiteSelection())
    with guide(run.pipe, run.prompts, EXCITE, settings=settings, retry_seeds=[3]) as guided:
        video = run(1.0)
    assert guided.trace.restarts[0].chosen == 1
    assert guided.trace.restart_rows == 2
    drawn = torch.randn(4, 16, 12, generator=stream("noise 1", 3))  # two frames, one below the other
    run.arguments["latents"] = drawn.unflatten(1, (2, -1))[None]
    torch.testing.assert_close(video, run(1.0), rtol=1e-4, atol=1e-4)


def test_second_one_may_be_no_other_than_when_the_block_began() -> None:
    run = two()
    pipe: Any = run.pipe
    with (
        guide(pipe, run.prompts, EXCITE, settings=settings_of(run, 0.3)),
        pytest.raises(PipelineError, match="Expected the denoiser that the pipeline had"),
    ):
        pipe.transformer_2 = wan_transformer(5)
        run(1.0)
