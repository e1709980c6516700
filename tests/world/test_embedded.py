"""The committed model: it loads as any other, paints what its card promises, and the detector sees it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, EulerDiscreteScheduler, PNDMScheduler

from heedful import world
from heedful.errors import ModelNotFound
from heedful.guidance import NONE
from heedful.lab.trial import Trial, run_trial, success_table
from heedful.world.judge import judge


@pytest.fixture(scope="module")
def pipe():
    loaded = world.load()
    loaded.set_progress_bar_config(disable=True)
    return loaded


def test_it_loads_without_heedful_and_is_small() -> None:
    code = (
        "from diffusers import StableDiffusionPipeline\n"
        f"pipe = StableDiffusionPipeline.from_pretrained({str(world.WEIGHTS)!r})\n"
        "import sys; assert 'heedful' not in sys.modules\n"
        "print(pipe('a cat', num_inference_steps=2).images[0].size)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "(64, 64)"
    assert sum(path.stat().st_size for path in world.WEIGHTS.rglob("*") if path.is_file()) <= 25e6


def test_most_single_concepts_are_there(pipe, tmp_path: Path) -> None:
    trial = Trial(prompts=world.single_concept_prompts()[::6], seeds=(500,), steps=10, batch=26)
    records = run_trial(pipe, world.load_detector(), trial, NONE, tmp_path / "single.jsonl")
    assert success_table(records, trial, "neglect").mean() <= 0.2
    two = Trial(prompts=world.two_concept_prompts()[::12], seeds=(500,), steps=10, batch=23)
    harder = run_trial(pipe, world.load_detector(), two, NONE, tmp_path / "two.jsonl")
    assert success_table(harder, two).mean() < success_table(records, trial).mean() - 0.1


@pytest.mark.parametrize("scheduler", [EulerDiscreteScheduler, DPMSolverMultistepScheduler, PNDMScheduler])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # numpy's, from inside these schedulers
def test_it_paints_with_other_schedulers(pipe, scheduler) -> None:
    before = pipe.scheduler
    try:
        pipe.scheduler = scheduler.from_config(before.config)
        prompts = ["a bear", "a red bowl", "a bird", "a blue backpack"]
        generators = [torch.Generator().manual_seed(1) for _ in prompts]
        images = pipe(prompts, generator=generators, num_inference_steps=20, guidance_scale=3).images
    finally:
        pipe.scheduler = before
    verdicts = [judge(p, found) for p, found in zip(prompts, world.load_detector()(images), strict=True)]
    assert sum(not verdict.neglect for verdict in verdicts) >= 3


def test_an_empty_picture_holds_nothing() -> None:
    assert world.load_detector()(np.full((1, 64, 64, 3), 206, dtype=np.uint8)) == [[]]


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"no model_index\.json"):
        world.load(tmp_path)
    with pytest.raises(ModelNotFound, match="heedful world train"):
        world.load_detector(tmp_path)
