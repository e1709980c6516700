"""The embedded models by name: each that is committed loads, is small, and has a judge and a card."""

from pathlib import Path

import pytest

from heedful import world
from heedful.errors import ModelNotFound
from heedful.models import ModelOptions, open_model


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
