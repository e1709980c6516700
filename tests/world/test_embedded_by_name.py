"""The embedded models by name: each that is committed loads, is small, and has a judge and a card."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from heedful import world
from heedful.attention import find_denoiser
from heedful.errors import ModelNotFound
from heedful.models import ModelOptions, open_model
from heedful.report import with_figures
from heedful.scores import default_scores


def test_names_lead_to_folders_of_the_package_and_paths_stay_paths(tmp_path: Path) -> None:
    assert world.folder_of() == world.folder_of("sprites") == world.WEIGHTS
    assert world.folder_of("crowded") == world.WEIGHTS.parent / "crowded"
    assert world.folder_of(tmp_path) == tmp_path
    assert world.folder_of(str(tmp_path)) == tmp_path


def test_an_unknown_world_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ModelNotFound, match="world:sprites, world:crowded, world:joint"):
        open_model(ModelOptions(model="world:atlantis"))
    with pytest.raises(ModelNotFound, match="sprites, crowded, joint"):
        world.load("atlantis")


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}', encoding="utf-8")
    with pytest.raises(ModelNotFound, match="FluxPipeline"):
        world.load(tmp_path)


def test_a_folder_without_a_detector_has_no_judge(tmp_path: Path) -> None:
    assert world.detector_folder(tmp_path) is None
    assert world.detector_folder() == world.WEIGHTS


@pytest.mark.parametrize("name", ["crowded", "joint"])
def test_an_embedded_model_is_small_and_loads_with_plain_diffusers(name: str) -> None:
    folder = world.folder_of(name)
    detector = folder / "detector.safetensors"
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file() and path != detector]
    assert 5e6 < sum(sizes) <= 12e6
    kind, options = {
        "crowded": ("StableDiffusionPipeline", ""),
        "joint": ("StableDiffusion3Pipeline", ", text_encoder_3=None, tokenizer_3=None"),
    }[name]
    call = ", max_sequence_length=0" if name == "joint" else ""
    code = (
        f"from diffusers import {kind}\n"
        f"pipe = {kind}.from_pretrained({str(folder)!r}{options})\n"
        "import sys; assert 'heedful' not in sys.modules\n"
        f"print(pipe('a cat', num_inference_steps=2{call}).images[0].size)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "(64, 64)"


@pytest.mark.parametrize("name", ["crowded", "joint"])
def test_an_embedded_model_is_opened_by_name_with_its_judge(name: str) -> None:
    model = open_model(ModelOptions(model=f"world:{name}"))
    assert model.is_world and model.name == f"world:{name}" and model.folder == world.folder_of(name)
    assert find_denoiser(model.pipe) is not None
    prompts = ["a red car", "a cat", "a frog", "a blue backpack", "a yellow crown", "a bear", "a green bowl", "a lion"]
    generators = [torch.Generator().manual_seed(7) for _ in prompts]
    images = model.pipe(prompts, generator=generators, num_inference_steps=20, guidance_scale=3.0).images
    found = world.load_detector(name)(images)
    there = [any(each.name in prompt for each in seen) for prompt, seen in zip(prompts, found, strict=True)]
    assert sum(there) >= 5
    (score, *_) = default_scores(model)
    assert score.name == "world"


def test_a_card_holds_its_figures() -> None:
    for name in world.WORLDS:
        folder = world.folder_of(name)
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert with_figures(card, json.loads((folder / "figures.json").read_text(encoding="utf-8"))) == card
