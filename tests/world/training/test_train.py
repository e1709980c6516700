"""The recipe on a miniature: it makes a model that diffusers loads, and a killed run ends with the same weights."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file

from heedful.errors import ModelNotFound
from heedful.world.training.loop import CHECKPOINT
from heedful.world.training.recipe import MINIATURE
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


def test_a_start_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="found none"):
        train(tmp_path / "out", MINIATURE, start=tmp_path / "nothing")
