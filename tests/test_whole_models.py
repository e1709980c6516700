"""Weights that are missing, misshapen or left over are refused, where libraries would go on."""

import shutil
from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors.torch import load_file, save_file

from heedful import world
from heedful.errors import ModelError
from heedful.whole_models import load_whole_pipeline
from tests.pipelines import tiny_pipeline


def change(folder: Path, part: str, *, drop: int = 0, add: bool = False) -> str:
    """Drop the first weights of a part, or add one; return the name of the first."""
    (file,) = (folder / part).glob("*.safetensors")
    weights = load_file(file)
    first = next(iter(weights))
    for name in [*weights][:drop]:
        del weights[name]
    save_file(weights | ({"one.too.many": torch.zeros(1)} if add else {}), file, metadata={"format": "pt"})
    return first


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    tiny_pipeline().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("part", ["text_encoder", "unet", "vae"])
def test_a_missing_weight_is_refused_whatever_the_library(saved: Path, tmp_path: Path, part: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(saved, folder)
    change(folder, part, drop=1)
    with pytest.raises(ModelError, match=f"Expected all weights of {part} in .* a file that lacks 1 of "):
        load_whole_pipeline(DiffusionPipeline, folder, dtype=torch.float32)


def test_a_weight_that_is_left_over_is_refused_where_all_are_known(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(saved, folder)
    change(folder, "unet", add=True)
    load_whole_pipeline(DiffusionPipeline, folder, dtype=torch.float32)
    with pytest.raises(ModelError, match=r"has, beside them, 1 of .*: one\.too\.many"):
        load_whole_pipeline(DiffusionPipeline, folder, dtype=torch.float32, is_strict=True)


def test_a_world_with_a_missing_weight_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "world"
    shutil.copytree(world.folder_of(), folder)
    change(folder, "text_encoder", drop=2)
    with pytest.raises(ModelError, match="lacks 2"):
        world.load(folder)
