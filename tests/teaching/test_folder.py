"""Nothing of a person's is replaced or removed unasked, nothing of another training joins, and broken files say so."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from heedful.errors import ConceptsDoNotFit, OutputError, PromptError, SettingsError
from heedful.folders import OutputFolder
from heedful.identity import sources_of
from heedful.options import TeachingOptions, TrainingOptions
from heedful.teaching import METHODS, load_concepts, new_concepts, recipe, steps_kept, teach
from heedful.teaching.checkpoint import CHECKPOINT
from heedful.teaching.recipe import check_same, fingerprint
from heedful.world.tokenizer import build_tokenizer
from tests.pipelines import tiny_pipeline
from tests.teaching.lesson import PROMPT, picture, taught

WORDS = METHODS["textual-inversion"]
WHOLE = METHODS["dreambooth"]
ALONE: dict[str, Any] = {"with_prior_preservation": False}


class Killed(Exception):
    pass


@pytest.mark.parametrize("name", ["pytorch_lora_weights", "pytorch_custom_diffusion_weights"])
def test_a_word_cannot_be_called_like_a_file_of_weights(name: str) -> None:
    with pytest.raises(PromptError, match="no file of weights"):
        new_concepts(f"a <{name}> cat", build_tokenizer())


@pytest.mark.parametrize("prompt", ["a <CAT1> cat", "a <cat1> cat and a <Cat1> cat"])
def test_words_that_tokenizers_and_file_systems_do_not_tell_apart_are_refused(prompt: str) -> None:
    with pytest.raises(PromptError, match=r"in lower case, got <C\w+>"):
        new_concepts(prompt, build_tokenizer())


def test_a_word_too_long_for_a_file_name_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="at most 200 bytes, which names a file, got 300"):
        taught(tiny_pipeline(), WORDS, tmp_path / "out", prompt=f"a <{'x' * 300}> cat")
    assert not (tmp_path / "out").exists()


def test_a_word_called_checkpoint_is_learnt_and_loaded(tmp_path: Path) -> None:
    taught(tiny_pipeline(), WORDS, tmp_path, prompt="a <checkpoint> cat", **ALONE)
    assert (tmp_path / "checkpoint.safetensors").exists()
    pipe = tiny_pipeline()
    load_concepts(pipe, tmp_path)
    assert "<checkpoint>" in pipe.tokenizer.get_vocab()


@pytest.mark.parametrize("name", ["README.md", "losses.json", "cat1.safetensors", "validation/3.png"])
def test_a_persons_own_file_is_neither_replaced_nor_removed(name: str, tmp_path: Path) -> None:
    own = tmp_path / name
    own.parent.mkdir(exist_ok=True)
    own.write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match=name):
            taught(tiny_pipeline(), WORDS, tmp_path, overwrite=overwrite, on_validation=lambda step: picture(), **ALONE)
    assert own.read_text() == "mine"


def test_overwriting_removes_what_heedful_wrote_and_nothing_else(tmp_path: Path) -> None:
    taught(tiny_pipeline(), WHOLE, tmp_path, on_validation=lambda step: picture())
    (tmp_path / "class_images" / "00099.png").write_text("mine")
    (tmp_path / "unet" / "notes.txt").write_text("mine")
    for name in ("unet/config.json", "class_images/00000.png", "validation/3.png"):
        assert (tmp_path / name).exists()
    with pytest.raises(SettingsError, match="Expected the training that"):
        taught(tiny_pipeline(), WORDS, tmp_path, **ALONE)
    taught(tiny_pipeline(), WORDS, tmp_path, overwrite=True, **ALONE)
    kept = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {name for name in kept if not name.startswith((".heedful/", "class_images/.heedful/"))} == {
        "README.md", "cat1.safetensors", "dog1.safetensors", "concepts.json", "losses.json",
        "class_images/00099.png", "unet/notes.txt",
    }  # fmt: skip


def test_a_link_to_class_images_elsewhere_is_not_emptied(tmp_path: Path) -> None:
    taught(tiny_pipeline(), WHOLE, tmp_path / "one")
    taught(tiny_pipeline(), WORDS, tmp_path / "two", **ALONE)
    (tmp_path / "two" / "class_images").symlink_to(tmp_path / "one" / "class_images")
    taught(tiny_pipeline(), WORDS, tmp_path / "two", overwrite=True, **ALONE)
    assert len(list((tmp_path / "one" / "class_images").glob("*.png"))) == 2


def test_two_trainings_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with OutputFolder(tmp_path).locked(), pytest.raises(OutputError, match="the only run"):
        taught(tiny_pipeline(), WORDS, tmp_path, **ALONE)


def test_a_checkpoint_of_other_versions_is_refused_and_a_finished_folder_is_read(tmp_path: Path) -> None:
    now = {"seed": 0, "version of torch": "2.0"}
    with pytest.raises(SettingsError, match=r"version of torch '1\.0', got '2\.0'"):
        check_same(now | {"version of torch": "1.0"}, now, tmp_path, is_done=False)
    check_same(now | {"version of torch": "1.0"}, now, tmp_path, is_done=True)


def test_a_recipe_says_which_code_it_is_made_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taught(tiny_pipeline(), WORDS, tmp_path, max_train_steps=1, **ALONE)
    said = json.loads((tmp_path / "concepts.json").read_text())["training"]
    assert said["version of the sources"] == sources_of("attention", "losses", "prompts", "teaching")
    assert said["version of the method's own code"] is None


def test_a_setting_that_is_new_since_counts_as_its_default(tmp_path: Path) -> None:
    check_same({"seed": 0}, {"seed": 0, "max_grad_norm": 1.0}, tmp_path, is_done=False)
    with pytest.raises(SettingsError, match="max_grad_norm"):
        check_same({"seed": 0}, {"seed": 0, "max_grad_norm": 2.0}, tmp_path, is_done=False)


def test_one_number_anywhere_in_the_weights_changes_their_fingerprint() -> None:
    pipe = tiny_pipeline()
    before = fingerprint(pipe)
    weight = next(value for value in pipe.unet.parameters() if value.numel() > 100)
    with torch.no_grad():
        weight.flatten()[weight.numel() // 2] += 1
    assert fingerprint(pipe) != before
    assert recipe.fingerprint(tiny_pipeline()) == before


def test_a_sheet_that_a_kill_took_is_made_by_the_next_run(tmp_path: Path) -> None:
    def kill(step: int) -> Image.Image:
        raise Killed

    with pytest.raises(Killed):
        taught(tiny_pipeline(), WORDS, tmp_path, on_validation=kill, validation_steps=2, checkpointing_steps=1, **ALONE)
    assert steps_kept(tmp_path) == 2
    taught(tiny_pipeline(), WORDS, tmp_path, on_validation=lambda step: picture(), validation_steps=2, **ALONE)
    assert sorted(path.name for path in (tmp_path / "validation").iterdir()) == ["2.png", "3.png"]


def test_a_disk_that_fills_up_while_the_denoiser_is_written_says_so_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tiny_pipeline()

    def full(*_: Any, **__: Any) -> None:
        raise SafetensorError("No space left on device")

    monkeypatch.setattr(type(pipe.unet), "save_pretrained", full)
    with pytest.raises(OutputError, match=r"No space left.*Free some space"):
        taught(pipe, WHOLE, tmp_path, **ALONE)
    monkeypatch.undo()
    steps: list[int] = []
    taught(tiny_pipeline(), WHOLE, tmp_path, on_step=lambda step, *_: steps.append(step), **ALONE)
    assert not steps
    assert (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").stat().st_mode & 0o077


@pytest.mark.parametrize(
    "change",
    [{"base": None}, {"weights": "magic"}, {"concepts": None}, {"training": 3}, {"prompt": 1}, {"more": 1}],
)
def test_manifests_of_another_kind_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    said = {
        "prompt": PROMPT, "concepts": [{"placeholder": "<cat1>", "noun": "cat"}], "method": "mine", "weights": "none",
        "base": {}, "training": {}, "format": 1,
    }  # fmt: skip
    for content in (json.dumps(said | change), "null", "[]", "\x00", ""):
        (tmp_path / "concepts.json").write_text(content)
        with pytest.raises(ConceptsDoNotFit, match="got something else"):
            load_concepts(tiny_pipeline(), tmp_path)


@pytest.mark.slow
def test_a_manifest_with_a_field_of_another_type_is_refused_where_no_test_checks_types(tmp_path: Path) -> None:
    said = {
        "prompt": 1, "concepts": [{"placeholder": "<cat1>", "noun": "cat"}], "method": "mine", "weights": "none",
        "base": {}, "training": {}, "format": 1,
    }  # fmt: skip
    (tmp_path / "concepts.json").write_text(json.dumps(said))
    code = "import sys; from pathlib import Path; from heedful.teaching.folder import read_manifest; "
    code += "read_manifest(Path(sys.argv[1]))"
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "ConceptsDoNotFit: Expected a manifest" in ended.stderr


@pytest.mark.parametrize("rows", [torch.tensor(1.0), torch.tensor([[float("nan")] * 16]), torch.tensor([[1] * 16])])
def test_embeddings_of_another_kind_are_refused(rows: torch.Tensor, tmp_path: Path) -> None:
    taught(tiny_pipeline(), WORDS, tmp_path, prompt="a <cat1> cat", max_train_steps=1, **ALONE)
    save_file({"<cat1>": rows}, tmp_path / "cat1.safetensors")
    pipe = tiny_pipeline()
    with pytest.raises(ConceptsDoNotFit, match=r"as vectors|finite numbers"):
        load_concepts(pipe, tmp_path)
    assert "<cat1>" not in pipe.tokenizer.get_vocab()


def test_a_checkpoint_without_a_tensor_is_called_broken(tmp_path: Path) -> None:
    def kill(step: int, *_: Any) -> None:
        if step == 2:
            raise Killed

    with pytest.raises(Killed):
        taught(tiny_pipeline(), WORDS, tmp_path, on_step=kill, checkpointing_steps=1, **ALONE)
    file = tmp_path / CHECKPOINT
    tensors = load_file(file)
    save_file({name: value for name, value in tensors.items() if name != "losses"}, file)
    with pytest.raises(SettingsError, match="is broken"):
        taught(tiny_pipeline(), WORDS, tmp_path, **ALONE)
    file.write_bytes(b"")
    assert steps_kept(tmp_path) == 0


def test_a_mask_that_is_black_where_the_image_is_learnt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="the mask of image 1, which is black all over"):
        taught(tiny_pipeline(), WORDS, tmp_path, masks=[Image.new("L", (16, 16))], **ALONE)
    photo, mask = Image.new("RGB", (48, 16)), Image.new("L", (48, 16))
    mask.putpixel((0, 0), 255)
    with pytest.raises(SettingsError, match=r"one \(number 1\) that is black all over the square that is learnt"):
        teach(
            tiny_pipeline(), photo, PROMPT, WORDS, out=tmp_path, masks=[mask], settings=TeachingOptions(crop="centre"),
            training=TrainingOptions(resolution=16),
        )  # fmt: skip


def test_a_resolution_that_diffusers_does_not_take_is_refused_first(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"a multiple of 8 pixels, got 60\. The nearest is 64"):
        taught(tiny_pipeline(), WORDS, tmp_path / "out", resolution=60)
    assert not (tmp_path / "out").exists()
