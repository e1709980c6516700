"""On every documented pipeline, however called, the trace says what happened; a step size of 0 is the plain run."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer

from heedful.attention import find_denoiser
from heedful.attention.intercept import replaced
from heedful.guidance import Method, guide
from heedful.guidance.methods import AttendAndExciteLoss
from tests.every_pipeline import PIPELINES, Run
from tests.family_pipelines import FAMILY_PIPELINES
from tests.guidance.test_every_pipeline import settings_of
from tests.more_pipelines import MORE_PIPELINES
from tests.pipelines import generator

# diffusers' schedulers hand tensors to numpy in a way that numpy 2 warns of.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*deprecated.*:FutureWarning"),
]

EXCITE = Method(name="excite", loss=AttendAndExciteLoss())
ALL = PIPELINES | FAMILY_PIPELINES | MORE_PIPELINES
FAST = ("StableDiffusionPipeline", "PixArtSigmaPipeline", "FluxPipeline")
"""One of each way to ask for guidance; the others take minutes together."""


def takes(run: Run, name: str) -> bool:
    return name in inspect.signature(run.pipe.__call__).parameters


def one_call(run: Run) -> list[torch.Tensor]:
    return [run()]


def two_calls(run: Run) -> list[torch.Tensor]:
    return [run(), run()]


def equal_seeds(run: Run) -> list[torch.Tensor]:
    """Both prompts from the same noises."""
    each = run.arguments.get("num_images_per_prompt", 2)
    run.arguments["generator"] = [generator(seed) for _ in run.prompts for seed in range(each)]
    return [run()]


def offloaded(run: Run) -> list[torch.Tensor]:
    if not hasattr(run.pipe, "_all_hooks") or not run.pipe._all_hooks:
        run.pipe.enable_model_cpu_offload(device="cpu")
    return two_calls(run)


def low_rank(run: Run) -> list[torch.Tensor]:
    denoiser: Any = find_denoiser(run.pipe)
    if not any(isinstance(module, BaseTunerLayer) for module in denoiser.modules()):
        torch.manual_seed(1)
        wanted = ("to_q", "to_k", "to_v", "img_qkv_proj", "txt_kv_proj")  # PRX has its own names
        own = [part for part in wanted if any(name.endswith(f".{part}") for name, _ in denoiser.named_modules())]
        config = LoraConfig(r=2, target_modules=own, init_lora_weights=False)
        inject_adapter_in_model(config, denoiser)
    option = next((name for name in ("cross_attention_kwargs", "joint_attention_kwargs") if takes(run, name)), None)
    if option is not None:
        run.arguments[option] = {"scale": 0.2}
    return [run()]


def changed_latents(run: Run) -> list[torch.Tensor]:
    def change(pipe: Any, step: int, timestep: Any, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"latents": 0.9 * arguments["latents"]}

    def change_in_place(step: int, timestep: Any, latents: torch.Tensor) -> None:
        latents.mul_(0.9)

    if takes(run, "callback_on_step_end"):
        run.arguments["callback_on_step_end"] = change
    elif takes(run, "callback"):
        run.arguments |= {"callback": change_in_place, "callback_steps": 1}
    return [run()]


def one_step(run: Run) -> list[torch.Tensor]:
    run.arguments["num_inference_steps"] = 1
    if "strength" in run.arguments:
        run.arguments["strength"] = 1.0
    return [run()]


WAYS = (one_call, two_calls, equal_seeds, offloaded, low_rank, changed_latents, one_step)
CASES = [
    pytest.param(name, way, id=f"{name}, {way.__name__}", marks=() if name in FAST else pytest.mark.slow)
    for name in ALL
    for way in WAYS
    if not (way is offloaded and "Modular" in name)  # these have no such method
    # diffusers' own takes one step of schedulers alone that return two things (LCM, DDIM), as its one-step models have
    if not (way is one_step and name == "PixArtAlphaPipeline")
]


@pytest.mark.parametrize(("name", "way"), CASES)
def test_trace_says_what_happened(name: str, way: Callable[[Run], list[torch.Tensor]]) -> None:
    run = ALL[name]()
    steps = 0
    scheduler_step = run.pipe.scheduler.step

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal steps
        steps += 1
        return scheduler_step(*args, **kwargs)

    with replaced(run.pipe.scheduler, "step", counted):
        plain = way(run)
    with guide(run.pipe, run.prompts, EXCITE, settings=settings_of(run, 0.0)) as guided:
        for images, expected in zip(way(run), plain, strict=True):
            assert images.equal(expected)
    assert guided.trace.images == len(plain[-1])
    assert len(guided.trace) == len(guided.maps) == steps // len(plain)
    assert all(step.is_guided for step in guided.trace)
    assert guided.maps["cat"].isnan().flatten(1).any(1).tolist() == run.without_cat
