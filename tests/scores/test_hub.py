import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import CLIPModel, Dinov2Model

from heedful.errors import ModelError, ModelNotFound, UnsafeWeights
from heedful.prompts import Prompt
from heedful.scores import ClipText
from heedful.scores.hub import load_network
from heedful.world.tokenizer import build_tokenizer
from tests.score_models import clip_folder, dino_folder


def test_a_model_is_loaded_once_frozen_in_float32(tmp_path: Path) -> None:
    folder = dino_folder(tmp_path / "dino")
    network = load_network(Dinov2Model, str(folder), "cpu")
    assert load_network(Dinov2Model, str(folder), "cpu") is network
    assert not network.training
    assert {(parameter.dtype, parameter.requires_grad) for parameter in network.parameters()} == {
        (torch.float32, False)
    }


def test_nothing_is_loaded_before_the_first_image_is_scored() -> None:
    assert ClipText(model="/no/such/folder").model == "/no/such/folder"


def test_a_folder_that_is_not_there_or_empty_is_named(tmp_path: Path) -> None:
    for folder in (tmp_path / "absent", tmp_path):
        with pytest.raises(ModelNotFound, match=rf"config\.json\) at {folder}, found none"):
            load_network(CLIPModel, str(folder), "cpu")


def test_pickles_are_refused(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path / "clip")
    weights = folder / "model.safetensors"
    weights.rename(folder / "pytorch_model.bin")
    with pytest.raises(UnsafeWeights, match=r"pytorch_model\.bin.*transformers once"):
        load_network(CLIPModel, str(folder), "cpu")


def test_a_model_of_another_kind_is_refused_and_not_filled_with_random_weights(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path / "clip")
    with pytest.raises(ModelError, match=r"type 'dinov2' \(a Dinov2Model\), got 'clip'"):
        load_network(Dinov2Model, str(folder), "cpu")


def test_a_folder_that_is_not_whole_is_an_error_of_ours(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path / "clip")
    (folder / "model.safetensors").unlink()
    with pytest.raises((ModelError, UnsafeWeights), match=str(folder)):
        load_network(CLIPModel, str(folder), "cpu")
    (folder / "config.json").write_text(json.dumps({"model_type": "no-such-model"}))
    with pytest.raises(ModelError, match=r"transformers says: .*no-such-model"):
        load_network(Dinov2Model, str(folder), "cpu")


def test_a_hub_id_that_cannot_be_had_says_so() -> None:
    """The tests are offline."""
    score = ClipText(model="nobody/no-such-model")
    with pytest.raises(ModelNotFound, match="nobody/no-such-model on the hub"):
        score([Image.new("RGB", (8, 8))], [Prompt.parse("a cat", build_tokenizer())])
