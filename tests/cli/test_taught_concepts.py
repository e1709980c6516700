"""What `heedful generate`, `see` and `bench run` make with the folders that `heedful teach` wrote."""

import importlib.util
import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heedful.cli.choices import read_teaching_method
from heedful.images.gallery import read_entry
from heedful.models import ModelOptions, open_model
from heedful.teaching import METHODS, read_photos, teach
from tests.bench.test_run import images
from tests.cli.conftest import Call

PROMPT = "a <cat1> cat and a <dog1> dog"


@pytest.fixture(scope="session")
def taught(lesson_model: Path, photo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two folders of the same words, taught in two ways."""
    folders: dict[str, Path] = {}
    for name in ("custom-diffusion", "disendiff"):
        folders[name] = tmp_path_factory.mktemp(name)
        method = METHODS[name]
        settings = read_teaching_method(name).settings
        short = replace(settings, max_train_steps=2, train_batch_size=1, with_prior_preservation=False, say_scale=False)
        pipe = open_model(ModelOptions(model=str(lesson_model))).pipe
        teach(pipe, read_photos([photo]), PROMPT, method, out=folders[name], settings=short)
    return folders


def _generate(call: Call, model: Path, out: Path, *given: object) -> tuple[int, str]:
    settings = ["--method", "none", "--seeds", 0, "--steps", 2, "--model", model, "--out", out]
    result = call("generate", "a <cat1> cat on a blue background", *settings, *given)
    return result.code, result.err


def test_images_of_other_concepts_are_not_taken_for_these(
    call: Call, lesson_model: Path, taught: dict[str, Path], tmp_path: Path
) -> None:
    first, second = taught.values()
    assert _generate(call, lesson_model, tmp_path, "--concepts-from", first)[0] == 0
    code, said = _generate(call, lesson_model, tmp_path, "--concepts-from", first)
    assert code == 0 and "1 of 1 images are there already." in said
    code, said = _generate(call, lesson_model, tmp_path, "--concepts-from", second)
    assert code == 2 and "was made with other settings: concepts from" in said


def test_taught_concepts_are_not_guided_unless_it_is_asked_for(
    call: Call, lesson_model: Path, taught: dict[str, Path], tmp_path: Path
) -> None:
    given = ["--concepts-from", taught["disendiff"], "--model", lesson_model, "--seeds", 0, "--steps", 2]
    result = call("generate", "a <cat1> cat", *given, "--out", tmp_path)
    assert result.code == 0, result.err
    assert [path.parts[-3] for path in tmp_path.glob("*/*/*.png")] == ["none"]


def test_a_picture_is_painted_into_with_concepts(
    call: Call, lesson_model: Path, taught: dict[str, Path], photo: Path, tmp_path: Path
) -> None:
    mask = tmp_path / "mask.png"
    half = Image.new("L", (16, 16))
    half.paste(255, (0, 0, 8, 16))
    half.save(mask)
    given = ["--concepts-from", taught["disendiff"], "--image", photo, "--mask-image", mask, "--strength", 0.5]
    code, said = _generate(call, lesson_model, tmp_path / "out", *given)
    assert code == 0, said
    (file,) = (tmp_path / "out").glob("*/*/*.png")
    entry = read_entry(file)
    assert entry is not None and entry.settings["strength"] == 0.5 and len(entry.settings["mask_image"]) == 12
    with Image.open(file) as image:
        assert np.asarray(image).shape == (16, 16, 3)


def test_what_cannot_be_put_on_top_says_why(
    call: Call, lesson_model: Path, taught: dict[str, Path], photo: Path, tmp_path: Path
) -> None:
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "learned_embeds.bin").write_bytes(pickle.dumps({}))
    disguised = tmp_path / "lora.safetensors"
    disguised.write_bytes(pickle.dumps({}))
    first, second = taught.values()
    says = {
        (): "Expected placeholders that this model was taught (none), got <cat1> in ",
        ("--concepts-from", tmp_path / "nowhere"): "Expected concepts.json in the folder ",
        ("--concepts-from", pickled): "Expected concepts as safetensors in ",
        ("--concepts-from", first, "--concepts-from", second): "Expected one folder of concepts that brings weights",
        ("--lora", pickled / "learned_embeds.bin"): "Expected a LoRA as *.safetensors, got ",
        ("--lora", pickled): "Expected a LoRA as *.safetensors in ",
        ("--lora", tmp_path / "nowhere"): "Expected a LoRA at ",
        ("--lora", disguised): "Expected a LoRA for this model in ",
        ("--lora", f"{disguised}=much"): "Expected a number after the = of a LoRA, such as ",
        ("--image", photo): "Expected an image and a mask to inpaint it, got only one of them.",
        ("--image", photo, "--mask-image", photo, "--strength", 0): "Expected a strength above 0 and at most 1",
    }
    for given, beginning in says.items():
        code, said = _generate(call, lesson_model, tmp_path / "out", *given)
        assert code == 2 and said.splitlines()[-1].startswith(f"Error: {beginning}"), said
        assert "Traceback" not in said and not (tmp_path / "out").exists()


def test_concepts_of_another_base_model_are_refused(call: Call, taught: dict[str, Path], tmp_path: Path) -> None:
    given = ["--concepts-from", taught["disendiff"], "--out", tmp_path / "out"]
    said = call("generate", "a <cat1> cat", *given).err
    assert "Expected a pipeline like the one that learnt <cat1>, <dog1>, got one with block_out_channels" in said


def test_a_benchmark_of_taught_concepts_is_not_joined_by_one_of_others(
    call: Call, lesson_model: Path, taught: dict[str, Path], tmp_path: Path
) -> None:
    suite = tmp_path / "suite.txt"
    suite.write_text("a <cat1> cat on a table\n", encoding="utf-8")
    given = ["--methods", "none", "--seeds", 0, "--steps", 2, "--scores", "world", "--model", lesson_model]
    command = ["bench", "run", "--suite", suite, *given, "--out", tmp_path / "out"]
    assert "Expected placeholders that this model was taught (none), got <cat1>" in call(*command).err
    first, second = taught.values()
    assert call(*command, "--concepts-from", first).code == 0
    again = call(*command, "--concepts-from", first)
    assert again.code == 0 and "1 of 1 images are done already." in again.err
    other = call(*command, "--concepts-from", second)
    assert other.code == 2 and "made in another way: concepts from" in other.err


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
def test_the_workers_of_a_cluster_are_given_the_concepts(
    call: Call, lesson_model: Path, taught: dict[str, Path], tmp_path: Path
) -> None:
    suite = tmp_path / "suite.txt"
    suite.write_text("a <cat1> cat on a table\n", encoding="utf-8")
    given = ["--methods", "none", "--seeds", "0-1", "--steps", 2, "--scores", "world", "--model", lesson_model]
    command = ["bench", "run", "--suite", suite, *given, "--concepts-from", taught["disendiff"], "--out"]
    assert call(*command, tmp_path / "serial").code == 0
    program = [sys.executable, "-m", "heedful", *map(str, command), str(tmp_path / "cluster"), "--engine", "ray"]
    done = subprocess.run(
        program, capture_output=True, text=True, check=False, env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}
    )
    assert done.returncode == 0, done.stderr
    assert images(tmp_path / "cluster") == images(tmp_path / "serial")


def test_maps_of_taught_concepts_are_seen(
    call: Call, lesson_model: Path, taught: dict[str, Path], tmp_path: Path
) -> None:
    given = ["--steps", 2, "--model", lesson_model, "--concepts-from", taught["disendiff"], "--json"]
    result = call("see", PROMPT, *given, "--out", tmp_path)
    assert result.code == 0, result.err
    assert [concept["name"] for concept in json.loads(result.out)["concepts"]] == ["<cat1> cat", "<dog1> dog"]
