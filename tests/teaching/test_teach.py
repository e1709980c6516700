"""What a lesson teaches: what learns, from which images, what lies in the folder, and what is refused."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from heedful.attention import Maps, SiteSelection
from heedful.errors import ConceptsDoNotFit, PromptError, SettingsError, UnsupportedPipeline
from heedful.fields import check_fields
from heedful.options import ClassImageOptions
from heedful.prompts import Prompt
from heedful.teaching import METHODS, TeachingMethod, TeachingSettings
from heedful.teaching.class_images import make_class_images
from heedful.teaching.concepts import class_prompt
from heedful.teaching.methods import Bind, SeparateAndStrengthen
from heedful.teaching.text_embeddings import text_parts
from heedful.teaching.weights import projections
from tests.pipelines import tiny_pipeline, tiny_sdxl_pipeline
from tests.teaching.lesson import PROMPT, name_of, parameters, short, taught
from tests.transformer_pipelines import tiny_pixart

DISENDIFF = METHODS["disendiff"]
EVERY = list(METHODS.values())


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


def test_words_that_are_known_are_refused(tmp_path: Path) -> None:
    pipe = tiny_pipeline()
    taught(pipe, DISENDIFF, tmp_path / "one")
    with pytest.raises(ConceptsDoNotFit, match="knows <cat1> already"):
        taught(pipe, DISENDIFF, tmp_path / "two")
