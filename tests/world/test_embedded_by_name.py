"""The embedded models by name: each that is committed loads, is small, and has a judge and a card."""

import json
from pathlib import Path

import pytest

from heedful import world
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
def test_a_model_without_weights_says_how_it_is_made(name: str) -> None:
    assert not world.is_shipped(name)
    with pytest.raises(ModelNotFound, match=f"heedful world train {name}"):
        world.load(name)
    with pytest.raises(ModelNotFound, match=f"heedful world train {name}"):
        open_model(ModelOptions(model=f"world:{name}"))


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
