"""The loop: what a step learns from, at which rate and in which precision, and how a killed training goes on."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import heedful
from heedful.attention import SiteSelection
from heedful.teaching import METHODS, Callbacks, TeachingMethod, TeachingSettings, teach
from heedful.teaching.folder import CHECKPOINT
from heedful.teaching.training import rate_shares
from heedful.teaching.weights import projections
from tests.pipelines import tiny_pipeline
from tests.teaching.lesson import name_of, parameters, taught

DISENDIFF = METHODS["disendiff"]


@pytest.mark.parametrize("method", [DISENDIFF, METHODS["dreambooth-lora"], METHODS["heedful"]], ids=name_of)
def test_a_killed_training_goes_on_to_the_same_result(method: TeachingMethod, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(step: int, steps: int, losses: Any) -> None:
        if step in (1, 3):
            raise Killed

    whole = tiny_pipeline()
    taught(whole, method, tmp_path / "whole", max_train_steps=5)
    for _ in range(2):
        with pytest.raises(Killed):
            taught(tiny_pipeline(), method, tmp_path / "parts", max_train_steps=5, checkpointing_steps=2,
                   on_step=kill)  # fmt: skip
    resumed = tiny_pipeline()
    taught(resumed, method, tmp_path / "parts", max_train_steps=5, checkpointing_steps=2)
    one, other = parameters(whole), parameters(resumed)
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    for file in (tmp_path / "whole").glob("*.safetensors"):
        assert file.read_bytes() == (tmp_path / "parts" / file.name).read_bytes()
    assert not list(tmp_path.rglob(CHECKPOINT))


def test_to_save_memory_blocks_are_run_twice_with_the_same_result(tmp_path: Path) -> None:
    plain, saving = tiny_pipeline(), tiny_pipeline()
    taught(plain, DISENDIFF, tmp_path / "plain", learning_rate=1e-3)
    taught(saving, DISENDIFF, tmp_path / "saving", learning_rate=1e-3, gradient_checkpointing=True)
    other = parameters(saving)
    for name, value in parameters(plain).items():
        torch.testing.assert_close(value, other[name], rtol=1e-4, atol=1e-5)
    assert not any(getattr(module, "gradient_checkpointing", False) for module in saving.unet.modules())


def test_gradients_are_accumulated_over_passes(tmp_path: Path) -> None:
    seen: list[dict[str, float]] = []
    taught(tiny_pipeline(), DISENDIFF, tmp_path, gradient_accumulation_steps=3, max_train_steps=2,
           on_step=lambda step, steps, losses: seen.append(losses))  # fmt: skip
    assert len(seen) == 2
    for losses in seen:
        assert losses["loss"] == pytest.approx(losses["denoising"] + losses["prior"] + 0.01 * losses["maps"], rel=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16])
def test_half_precision_weights_learn_in_float32_and_stay_half(dtype: torch.dtype, tmp_path: Path) -> None:
    pipe = tiny_pipeline(dtype)
    before = parameters(pipe)
    taught(pipe, DISENDIFF, tmp_path)
    after = parameters(pipe)
    assert {value.dtype for value in after.values()} == {dtype}
    assert any(not torch.equal(before[name], value) for name, value in after.items() if name.startswith("unet."))


def test_words_may_learn_at_a_rate_of_their_own(tmp_path: Path) -> None:
    pipes = [tiny_pipeline(), tiny_pipeline()]
    for number, pipe in enumerate(pipes):
        taught(pipe, DISENDIFF, tmp_path / str(number), word_learning_rate=(0.0, None)[number], adam_weight_decay=0.0)
    still, moved = (pipe.text_encoder.get_input_embeddings().weight[-2:] for pipe in pipes)
    begun = tiny_pipeline().text_encoder.get_input_embeddings().weight
    ids = pipes[0].tokenizer.convert_tokens_to_ids(["cat</w>", "dog</w>"])
    assert torch.equal(still, begun[ids]) and not torch.equal(moved, begun[ids])
    names = projections(pipes[0].unet, "key-value")
    changed = [pipes[0].unet.get_submodule(name).weight for name in names]
    assert not any(torch.equal(own, tiny_pipeline().unet.get_submodule(name).weight)
                   for own, name in zip(changed, names, strict=True))  # fmt: skip


def test_a_step_shows_as_many_class_images_as_it_is_told(tmp_path: Path) -> None:
    pipe, rows = tiny_pipeline(), list[int]()
    hook = pipe.unet.register_forward_pre_hook(
        lambda module, inputs, given: rows.append(len(inputs[0] if inputs else given["sample"])), with_kwargs=True
    )
    taught(pipe, METHODS["custom-diffusion"], tmp_path, train_batch_size=3, class_batch_size=1, max_train_steps=2,
           num_class_images=2, class_steps=1, sample_batch_size=1)  # fmt: skip
    hook.remove()
    assert rows[-2:] == [4, 4]


def test_the_pipeline_can_be_looked_at_on_the_way(tmp_path: Path) -> None:
    pipe = tiny_pipeline()
    images: dict[int, Any] = {}

    def look(step: int) -> None:
        images[step] = pipe("a <cat1> cat", num_inference_steps=2, output_type="latent",
                            generator=torch.Generator().manual_seed(0)).images  # fmt: skip

    taught(pipe, DISENDIFF, tmp_path / "a", max_train_steps=3, on_validation=look, validation_steps=2)
    assert list(images) == [2, 3]
    assert not torch.equal(images[2], images[3])
    unseen = tiny_pipeline()
    taught(unseen, DISENDIFF, tmp_path / "b", max_train_steps=3)
    assert all(torch.equal(value, parameters(unseen)[name]) for name, value in parameters(pipe).items())


def test_a_tracker_of_accelerate_gets_the_losses(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    taught(tiny_pipeline(), DISENDIFF, tmp_path, report_to="tensorboard")
    assert list((tmp_path / "logs").rglob("events.out.tfevents*"))


@pytest.mark.parametrize(
    ("name", "warmup", "expected"),
    [
        ("constant_with_warmup", 0, [1, 1, 1, 1]),
        ("constant_with_warmup", 2, [0, 0.5, 1, 1]),
        ("constant", 2, [1, 1, 1, 1]),
        ("linear", 0, [1, 0.75, 0.5, 0.25]),
        ("cosine", 0, [1, 0.853553, 0.5, 0.146447]),
    ],
)
def test_the_rate_changes_as_diffusers_schedulers_say(name: Any, warmup: int, expected: list[float]) -> None:
    settings = TeachingSettings(lr_scheduler=name, lr_warmup_steps=warmup, max_train_steps=4)
    shares = rate_shares(settings)
    assert [shares(step) for step in range(4)] == pytest.approx(expected, abs=1e-6)


def test_a_loss_that_is_not_finite_says_so(tmp_path: Path) -> None:
    with pytest.raises(heedful.HeedfulError, match=r"finite loss, got .* Lower the learning rate"):
        taught(tiny_pipeline(), METHODS["dreambooth"], tmp_path, learning_rate=1e30, max_train_steps=5)


def test_the_loss_goes_down_on_the_embedded_model(tmp_path: Path) -> None:
    pipe = heedful.world.load()
    pipe.set_progress_bar_config(disable=True)
    red = Image.new("RGB", (64, 64), (214, 26, 34))
    settings = TeachingSettings(
        learning_rate=3e-3, max_train_steps=30, train_batch_size=4, with_prior_preservation=False, augmentation="none",
        say_scale=False, sites=SiteSelection(blocks=("up",), scale=2),
    )  # fmt: skip
    seen: list[float] = []
    teach(pipe, red, "a <red1> cat", DISENDIFF, out=tmp_path, settings=settings,
          callbacks=Callbacks(on_step=lambda step, steps, losses: seen.append(losses["denoising"])))  # fmt: skip
    assert sum(seen[-10:]) < 0.6 * sum(seen[:10])
