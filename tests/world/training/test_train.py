"""The recipe on a miniature: it makes a model that diffusers loads, and a killed run ends with the same weights."""

import json
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusion3Pipeline, StableDiffusionPipeline
from safetensors.torch import load_file

from heedful.errors import ModelNotFound, OutputError, SettingsError
from heedful.folders import OutputFolder
from heedful.world.embedded import WORLDS
from heedful.world.style import CROWDED
from heedful.world.training.captions import ALT_TEXT
from heedful.world.training.loop import CHECKPOINT
from heedful.world.training.recipes import MINIATURE, RECIPES
from heedful.world.training.train import train

pytestmark = pytest.mark.usefixtures("drawn_sprites")


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.safetensors"))
    }


class Killed(Exception):
    """Stands for a kill at a step."""


@pytest.fixture(scope="module")
def threads():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_five_kills_end_with_the_same_weights_bit_for_bit(tmp_path: Path, threads: None) -> None:
    whole = train(tmp_path / "whole", MINIATURE, checkpoint_every=2)
    kills = iter([("denoiser", 1), ("denoiser", 3), ("denoiser", 7), ("autoencoder", 2), ("clip", 3)])
    kill = next(kills, None)

    def on_step(phase: str, step: int, steps: int, loss: float) -> None:
        if kill == (phase, step):
            raise Killed

    for _ in range(5):
        with pytest.raises(Killed):
            train(tmp_path / "killed", MINIATURE, checkpoint_every=2, on_step=on_step)
        kill = next(kills, None)
    killed = train(tmp_path / "killed", MINIATURE, checkpoint_every=2, on_step=on_step)
    assert digests(killed) == digests(whole)

    pipe = StableDiffusionPipeline.from_pretrained(str(whole))
    pipe.set_progress_bar_config(disable=True)
    assert pipe("a cat and a blue clock", num_inference_steps=2).images[0].size == (64, 64)


def test_a_finished_phase_is_not_trained_again(tmp_path: Path, threads: None) -> None:
    train(tmp_path, MINIATURE)
    before = load_file(tmp_path / "training" / "denoiser" / CHECKPOINT)
    seen: list[str] = []
    train(tmp_path, MINIATURE, on_step=lambda phase, step, steps, loss: seen.append(phase))
    assert seen == []
    after = load_file(tmp_path / "training" / "denoiser" / CHECKPOINT)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_training_goes_on_from_a_trained_model(tmp_path: Path, threads: None) -> None:
    first = train(tmp_path / "first", MINIATURE)
    # no step of the denoiser and the detector: what comes out is what went in
    further = replace(MINIATURE, stages=(), detector_steps=0)
    second = train(tmp_path / "second", further, start=first)
    before, after = digests(first), digests(second)
    for part in ("unet/diffusion_pytorch_model", "text_encoder/model", "detector"):
        assert before[f"{part}.safetensors"] == after[f"{part}.safetensors"]
    vae = "vae/diffusion_pytorch_model.safetensors"
    assert before[vae] != after[vae]


def test_a_folder_has_one_training_and_keeps_what_a_person_has_there(tmp_path: Path) -> None:
    with OutputFolder(tmp_path / "out").locked(), pytest.raises(OutputError, match="the only run"):
        train(tmp_path / "out", MINIATURE)
    (tmp_path / "mine" / "unet").mkdir(parents=True)
    with pytest.raises(OutputError, match="without unet"):
        train(tmp_path / "mine", MINIATURE)
    assert not list((tmp_path / "mine").rglob("*.safetensors"))


def test_a_training_of_another_recipe_is_not_joined_unless_its_length_alone_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[train.__module__], "_train", lambda *_: None)
    train(tmp_path, replace(MINIATURE, style=CROWDED))
    train(tmp_path, replace(MINIATURE, style=CROWDED, detector_steps=99, learning_rate=1e-5))
    with pytest.raises(SettingsError, match=r"differs in seed, style\. .* remove that file"):
        train(tmp_path, replace(MINIATURE, seed=1))
    written = json.loads((tmp_path / "training" / "recipe.json").read_text())
    (tmp_path / "training" / "recipe.json").write_text(json.dumps(written | {"versions": {"torch": "1.0"}}))
    with pytest.raises(SettingsError, match=r"differs in versions\."):
        train(tmp_path, replace(MINIATURE, style=CROWDED))
    for broken in ("", "[1]", "{}"):
        (tmp_path / "training" / "recipe.json").write_text(broken)
        with pytest.raises(SettingsError, match="differs in"):
            train(tmp_path, MINIATURE)


def test_a_start_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"no model_index\.json"):
        train(tmp_path / "out", MINIATURE, start=tmp_path / "nothing")


def test_a_frozen_text_encoder_is_trained_first_and_then_left_alone(tmp_path: Path, threads: None) -> None:
    recipe = replace(MINIATURE, text_encoder_steps=3, text_encoder_batch=4, style=CROWDED, captions=ALT_TEXT)
    seen: list[str] = []
    folder = train(tmp_path / "frozen", recipe, on_step=lambda phase, step, steps, loss: seen.append(phase))
    assert seen[:4] == ["text_encoder"] * 3 + ["denoiser"]
    trained = load_file(tmp_path / "frozen" / "training" / "text_encoder" / CHECKPOINT)
    shipped = load_file(folder / "text_encoder" / "model.safetensors")
    name = "encoder.layers.1.mlp.fc1.weight"
    (stored,) = [key for key in shipped if key.endswith(name)]
    assert torch.equal(shipped[stored], trained[f"average.text_encoder.{name}"])


def test_joint_attention_trains_paints_and_goes_on_from_what_it_was(tmp_path: Path, threads: None) -> None:
    narrow = {"num_layers": 2, "attention_head_dim": 8, "num_attention_heads": 2, "caption_projection_dim": 16}
    recipe = replace(MINIATURE, denoiser="joint", denoiser_config=tuple(narrow.items()))
    folder = train(tmp_path / "joint", recipe)
    # how diffusers loads a Stable Diffusion 3 without T5
    pipe = StableDiffusion3Pipeline.from_pretrained(str(folder), text_encoder_3=None, tokenizer_3=None)
    pipe.set_progress_bar_config(disable=True)
    assert pipe("a cat", num_inference_steps=2).images[0].size == (64, 64)
    further = train(tmp_path / "further", replace(recipe, stages=(), detector_steps=0), start=folder)
    part = "transformer/diffusion_pytorch_model.safetensors"
    assert digests(folder)[part] == digests(further)[part]


def test_each_recipe_has_the_name_of_an_embedded_model() -> None:
    assert set(RECIPES) == set(WORLDS)
    assert all(recipe.start in {None, *WORLDS} for recipe in RECIPES.values())
