import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import heedful
from heedful.attention import Maps, SiteSelection
from heedful.errors import ConceptsDoNotFit, PromptError, SettingsError, UnsupportedPipeline
from heedful.fields import check_fields
from heedful.options import ClassImageOptions
from heedful.prompts import Prompt
from heedful.teaching import METHODS, Callbacks, TeachingMethod, TeachingSettings, teach
from heedful.teaching.class_images import make_class_images
from heedful.teaching.concepts import class_prompt
from heedful.teaching.folder import CHECKPOINT
from heedful.teaching.methods import Bind, SeparateAndStrengthen
from heedful.teaching.text_embeddings import text_parts
from heedful.teaching.training import rate_shares
from heedful.teaching.weights import projections
from tests.pipelines import tiny_pipeline, tiny_sdxl_pipeline
from tests.teaching.lesson import PROMPT, parameters, short, taught
from tests.transformer_pipelines import tiny_pixart

DISENDIFF = METHODS["disendiff"]
EVERY = list(METHODS.values())


def name_of(method: TeachingMethod) -> str:
    return method.name


@pytest.mark.parametrize("method", EVERY, ids=name_of)
def test_exactly_what_a_method_names_learns(method: TeachingMethod, tmp_path: Path) -> None:
    pipe = tiny_pipeline()
    before = parameters(pipe)
    taught(pipe, method, tmp_path)
    after = parameters(pipe)
    table = next(name for name in before if name.endswith("token_embedding.weight"))
    known = len(before[table])
    changed = {
        name for name in before if name != table and not torch.equal(before[name], after.get(name, before[name]))
    }
    assert torch.equal(before[table], after[table][:known])
    clock = after[table][pipe.tokenizer.convert_tokens_to_ids(["cat</w>", "dog</w>"])]
    assert torch.equal(after[table][known:], clock) == (not method.trains_embeddings)
    lora = {name for name in after if ".lora_" in name}
    if method.rank is not None:
        assert not changed - {name for name in before if name not in after}
        stems = {name.removeprefix("unet.").split(".lora_")[0] for name in lora}
        assert stems >= set(projections(pipe.unet, method.weights))
        assert all(after[name].any() for name in lora)  # the half that begins at zero has moved
    elif method.weights == "all":
        assert not lora
        assert changed == {name for name in before if name.startswith("unet.")}
    else:
        assert not lora
        assert changed == {f"unet.{name}.weight" for name in projections(pipe.unet, method.weights)}
    assert not any(parameter.requires_grad for parameter in pipe.unet.parameters())


@pytest.mark.parametrize("weights", ["value", "query-key-value"])
def test_other_weights_of_cross_attention_can_be_chosen(weights: Any, tmp_path: Path) -> None:
    pipe = tiny_pipeline()
    before = parameters(pipe)
    taught(pipe, replace(DISENDIFF, name="mine", weights=weights), tmp_path)
    changed = {name for name, value in parameters(pipe).items() if name in before and "token_embedding" not in name
               and not torch.equal(before[name], value)}  # fmt: skip
    assert changed == {f"unet.{name}.weight" for name in projections(pipe.unet, weights)}


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


def test_sdxl_learns_in_both_text_encoders(tmp_path: Path) -> None:
    pipe = tiny_sdxl_pipeline()
    taught(pipe, DISENDIFF, tmp_path)
    for tokenizer, encoder in text_parts(pipe):
        table = encoder.get_input_embeddings().weight
        new, known = (table[tokenizer.convert_tokens_to_ids(token)] for token in ("<cat1>", "cat</w>"))
        assert not torch.equal(new, known)


@dataclass(frozen=True)
class Listening:
    """DisenDiff's loss on maps, which notes the captions of what it sees."""

    heard: list[str]

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], image: Any) -> torch.Tensor:
        self.heard.extend(prompt.text for prompt in prompts)
        return (Bind() + SeparateAndStrengthen())(maps, prompts, image)

    def __repr__(self) -> str:
        return "Listening()"


@pytest.mark.parametrize(
    ("alone", "captions"),
    [(True, {PROMPT, "a <cat1> cat", "a <dog1> dog"}), (False, {PROMPT})],
    ids=["each alone too", "together"],
)
def test_a_method_may_show_each_concept_alone(alone: bool, captions: set[str], tmp_path: Path) -> None:
    heard: list[str] = []
    method = replace(DISENDIFF, name="mine", loss=Listening(heard), shows_each_alone=alone)
    taught(tiny_pipeline(), method, tmp_path, max_train_steps=12, num_class_images=3,
           sites=SiteSelection(scale=2))  # fmt: skip
    assert set(heard) == captions
    prior = (tmp_path / "class_images" / "metadata.jsonl").read_text().splitlines()
    assert {json.loads(line)["text"] for line in prior} == {class_prompt(each) for each in captions}
    assert json.loads((tmp_path / "concepts.json").read_text())["training"]["shows_each_alone"] is alone


def test_composites_are_shown_instead_of_the_photo(tmp_path: Path) -> None:
    heard: list[str] = []
    method = replace(DISENDIFF, name="mine", loss=Listening(heard))
    taught(tiny_pipeline(), method, tmp_path, max_train_steps=12, num_class_images=2, composites=24,
           class_prompt=("a cat on a bed", "a dog on a bed"), sites=SiteSelection(scale=2))  # fmt: skip
    things = {caption.removesuffix(" on a bed") for caption in heard}
    assert {"a <cat1> cat", "a <dog1> dog"} & things and {PROMPT, "a <dog1> dog and a <cat1> cat"} & things
    assert things <= {
        "a <cat1> cat", "a <dog1> dog", PROMPT, "a <dog1> dog and a <cat1> cat", "a <cat1> cat and a dog",
        "a dog and a <cat1> cat", "a cat and a <dog1> dog", "a <dog1> dog and a cat", "a <cat1> cat and a cat",
        "a <dog1> dog and a dog", "a cat and a <cat1> cat", "a dog and a <dog1> dog",
    }  # fmt: skip


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


def test_what_was_taught_is_not_taught_again_and_another_lesson_is_refused(tmp_path: Path) -> None:
    taught(tiny_pipeline(), DISENDIFF, tmp_path)
    steps: list[int] = []
    again = tiny_pipeline()
    taught(again, DISENDIFF, tmp_path, on_step=lambda step, *rest: steps.append(step))
    assert not steps
    assert "<cat1>" in again.tokenizer.get_vocab()
    with pytest.raises(
        SettingsError, match=r"has learning_rate 0\.01, got 0\.5.*Choose another folder, or overwrite what is there"
    ):
        taught(tiny_pipeline(), DISENDIFF, tmp_path, learning_rate=0.5)


def test_everything_to_make_it_again_lies_beside_it(tmp_path: Path) -> None:
    taught(tiny_pipeline(), DISENDIFF, tmp_path, seed=3)
    said = json.loads((tmp_path / "concepts.json").read_text())
    assert said["prompt"] == PROMPT
    assert said["method"] == "disendiff"
    assert said["training"]["seed"] == 3
    assert said["training"]["learning_rate"] == 0.01
    assert [each["class"] for each in said["training"]["loss"]["losses"]] == ["Bind", "SeparateAndStrengthen"]
    assert len(said["training"]["images"][0]) == 64
    losses = json.loads((tmp_path / "losses.json").read_text())
    assert [set(each) for each in losses] == [{"loss", "denoising", "prior", "maps"}] * 3
    card = (tmp_path / "README.md").read_text()
    assert "zhang2024disendiff" in card
    assert "`<cat1>`, a cat" in card


def test_bad_input_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    pipe = tiny_pipeline()
    size = len(pipe.tokenizer)
    with pytest.raises(PromptError, match="placeholders"):
        taught(pipe, DISENDIFF, tmp_path, prompt="a cat and a dog")
    with pytest.raises(UnsupportedPipeline, match="got PixArt"):
        taught(tiny_pixart(), DISENDIFF, tmp_path)
    with pytest.raises(UnsupportedPipeline, match="takes the 4 channels of the latents alone, got one that takes 9"):
        taught(tiny_pipeline(in_channels=9), DISENDIFF, tmp_path)
    with pytest.raises(SettingsError, match="max_train_steps of at least 1, got 0"):
        short(DISENDIFF, max_train_steps=0)
    with pytest.raises(SettingsError, match=r"lr_scheduler to be one of constant_with_warmup, .* got 'slow'"):
        check_fields(TeachingSettings, {"lr_scheduler": "slow"}, "settings")
    with pytest.raises(SettingsError, match="something to train"):
        replace(DISENDIFF, weights="none", trains_embeddings=False)
    with pytest.raises(SettingsError, match="rank 4 on 'none'"):
        METHODS["textual-inversion"].as_lora(4)
    with pytest.raises(SettingsError, match=r"No sites|at least one attention site"):
        taught(pipe, DISENDIFF, tmp_path, sites=SiteSelection(scale=64))
    assert len(tiny_pipeline().tokenizer) == size


def test_prior_pictures_of_another_prompt_are_refused(tmp_path: Path) -> None:
    make_class_images(
        tiny_pipeline(), ["a bird"], 1, tmp_path / "class_images", ClassImageOptions(class_steps=1), size=(16, 16)
    )
    with pytest.raises(SettingsError, match=r"of 'a cat and a dog' in .*class_images, got some of 'a bird'"):
        taught(tiny_pipeline(), DISENDIFF, tmp_path)
    given = taught(tiny_pipeline(), DISENDIFF, tmp_path / "mine", class_data_dir=tmp_path / "class_images")
    assert given.folder == tmp_path / "mine"


def test_captions_that_say_a_scale_are_read_before_anything_is_painted(tmp_path: Path) -> None:
    pipe = tiny_pipeline()
    prompt = " and ".join(f"a <cat{number}> cat" for number in range(pipe.tokenizer.model_max_length // 4 - 1))
    with pytest.raises(PromptError, match="leaves room for 'a far away' before it"):
        taught(pipe, DISENDIFF, tmp_path, prompt=prompt, say_scale=True)
    assert not list(tmp_path.iterdir())


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


def test_words_that_are_known_are_refused(tmp_path: Path) -> None:
    pipe = tiny_pipeline()
    taught(pipe, DISENDIFF, tmp_path / "one")
    with pytest.raises(ConceptsDoNotFit, match="knows <cat1> already"):
        taught(pipe, DISENDIFF, tmp_path / "two")


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
