"""The embedded models by name: each that is committed loads, is small, and has a judge and a card."""

import json
from pathlib import Path

import pytest
import torch

from heedful import world
from heedful.errors import ModelNotFound
from heedful.models import ModelOptions, open_model
from heedful.report import with_figures
from heedful.scores import default_scores
from heedful.world.judge import judge


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


@pytest.mark.parametrize("name", world.WORLDS)
def test_every_model_loads_by_name_and_makes_an_image_that_its_judge_sees(name: str) -> None:
    model = open_model(ModelOptions(model=f"world:{name}"))
    assert model.is_world and model.folder == world.folder_of(name)
    pipe = world.load(name)
    pipe.set_progress_bar_config(disable=True)
    prompts = ["a cat", "a dog", "a blue clock", "a red car", "a frog", "a green crown"]
    noises = [torch.Generator().manual_seed(seed) for seed in range(len(prompts))]
    images = pipe(prompts, num_inference_steps=20, guidance_scale=3.0, generator=noises, output_type="np").images
    assert images.shape == (6, 64, 64, 3)
    found = world.load_detector(name)((images * 255).round().astype("uint8"))
    assert sum(judge(prompt, seen).success for prompt, seen in zip(prompts, found, strict=True)) >= 4


@pytest.mark.parametrize("name", ["crowded", "joint"])
def test_parts_are_small_and_ordinary(name: str) -> None:
    files = [path for path in world.folder_of(name).rglob("*.safetensors") if path.stem != "detector"]
    assert sum(path.stat().st_size for path in files) <= 12e6
    index = json.loads((world.folder_of(name) / "model_index.json").read_text(encoding="utf-8"))
    assert index["_class_name"].startswith("StableDiffusion")
    assert {library for library, _ in (pair for pair in index.values() if isinstance(pair, list))} <= {
        "diffusers",
        "transformers",
        None,
    }


def test_the_first_embedded_model_is_opened_by_name_with_its_judge() -> None:
    model = open_model(ModelOptions(model="world:sprites"))
    assert model.is_world and model.folder == world.folder_of("sprites")
    (score, *_) = default_scores(model)
    assert score.name == "world"


def test_a_card_holds_its_figures() -> None:
    for name in world.WORLDS:
        folder = world.folder_of(name)
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert with_figures(card, json.loads((folder / "figures.json").read_text(encoding="utf-8"))) == card
