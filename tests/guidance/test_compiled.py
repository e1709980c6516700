"""A denoiser that runs as compiled code is read and steered all the same: those passes run as plain Python."""

from typing import Any

import pytest
import torch

from heedful.guidance import guide
from heedful.guidance.methods import AttendAndExciteLoss
from tests.every_pipeline import PIPELINES, PROMPTS, Run
from tests.guidance.test_every_pipeline import settings_of


def whole(run: Run, compiler: Any) -> None:
    run.pipe.unet = torch.compile(run.pipe.unet, backend=compiler)


def in_place(run: Run, compiler: Any) -> None:
    run.pipe.unet.compile(backend=compiler)


def blocks(run: Run, compiler: Any) -> None:
    for module in run.pipe.unet.modules():
        if type(module).__name__ == "BasicTransformerBlock":
            module.compile(backend=compiler)


class Compiler:
    """Compiles nothing, and counts how often what it compiled is called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, module: Any, inputs: Any) -> Any:
        def call(*args: Any) -> Any:
            self.calls += 1
            return module.forward(*args)

        return call


@pytest.mark.parametrize(
    "compiled", [whole, *(pytest.param(way, marks=pytest.mark.slow) for way in (in_place, blocks))]
)
def test_guided_images_are_those_of_the_eager_denoiser(compiled: Any) -> None:
    eager = PIPELINES["StableDiffusionPipeline"]()
    settings = settings_of(eager, 0.3)
    with guide(eager.pipe, PROMPTS, AttendAndExciteLoss(), settings=settings) as guided:
        expected, maps = eager(), guided.maps["cat"]
    torch._dynamo.reset()
    run, compiler = PIPELINES["StableDiffusionPipeline"](), Compiler()
    compiled(run, compiler)
    plain, calls = run(), compiler.calls
    assert calls > 0
    with guide(run.pipe, PROMPTS, AttendAndExciteLoss(), settings=settings) as guided:
        images = run()
    torch.testing.assert_close(images, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(guided.maps["cat"], maps, rtol=1e-4, atol=1e-4, equal_nan=True)
    assert compiler.calls == calls  # every pass was read
    torch.testing.assert_close(run(), plain)
    assert compiler.calls > calls


def test_passes_that_nobody_reads_stay_compiled() -> None:
    torch._dynamo.reset()
    run, compiler = PIPELINES["StableDiffusionPipeline"](), Compiler()
    whole(run, compiler)
    run()
    calls = compiler.calls
    with guide(run.pipe, PROMPTS, AttendAndExciteLoss(), settings=settings_of(run, 0.3), keep_maps=False):
        run()
    assert compiler.calls > calls
