"""`heedful teach`: files, last lines, going on, messages."""

import json
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from PIL import Image

from heedful.cli.choices import read_teaching_method
from heedful.teaching.training import Training
from tests.cli.conftest import Call, override

PROMPT = "a <cat1> cat and a <dog1> dog"


@pytest.fixture
def options(lesson_model: Path) -> list[object]:
    """Of a teaching that takes a second."""
    return [
        "--prompt", PROMPT, "--model", lesson_model, "--max-train-steps", 4, "--train-batch-size", 1,
        "--num-class-images", 2, "--resolution", 16, "--num-validation-images", 0,
    ]  # fmt: skip


def _weights(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.safetensors"))}


def test_a_rank_makes_a_lora_of_any_method_that_trains_weights() -> None:
    assert read_teaching_method("disendiff", 8).rank == 8
    assert read_teaching_method("disendiff-lora", 8) == read_teaching_method("disendiff", 8)


def test_a_folder_of_concepts_a_use_and_a_last_line(
    call: Call, photo: Path, options: list[object], tmp_path: Path
) -> None:
    out = tmp_path / "taught"
    result = call("teach", photo, *options, "--out", out)
    assert result.code == 0, result.err
    assert result.err.count("Concepts: <cat1> cat; <dog1> dog") == 1
    assert list(_weights(out)) == [
        "cat1.safetensors", "dog1.safetensors", "pytorch_custom_diffusion_weights.safetensors",
    ]  # fmt: skip
    lines = result.out.splitlines()
    assert lines[-1] == str(out)
    assert lines[-2].startswith(f"Use them: heedful generate '{PROMPT}' --method none --concepts-from {out} --model ")
    assert "Class images" in result.err and "4/4" in result.err and "denoising" in result.err
    assert len(json.loads((out / "losses.json").read_text())) == 4

    again = call("teach", photo, *options, "--out", out)
    assert again.code == 0 and f"{out} holds taught concepts already." in again.err


def test_sheets_on_the_way_show_images_and_maps_and_reach_tensorboard(
    call: Call, photo: Path, options: list[object], tmp_path: Path
) -> None:
    watch = ["--validation-prompt", "a <cat1> cat", "--validation-prompt", PROMPT, "--num-validation-images", 1]
    every = ["--validation-steps", 2, "--report-to", "tensorboard", "--no-prior-preservation", "--json"]
    result = call("teach", photo, *override(options, watch), *every, "--out", tmp_path)
    assert result.code == 0, result.err
    said = json.loads(result.out)
    assert said["validation"] == [str(tmp_path / "validation" / f"{step}.png") for step in (2, 4)]
    assert said["concepts"] == [{"placeholder": "<cat1>", "noun": "cat"}, {"placeholder": "<dog1>", "noun": "dog"}]
    with Image.open(tmp_path / "validation" / "4.png") as sheet:
        # the photo, an image and a map of the first prompt, an image and two of the second
        assert sheet.height > 6 * 160
        assert sheet.width > 3 * 160  # the photo has the maps of both concepts beside it
    card = (tmp_path / "README.md").read_text()
    assert "](validation/4.png)" in card
    assert ModelCard(card).data.to_dict()["widget"][0]["output"] == {"url": "validation/4.png"}
    assert f"heedful teach {photo} --prompt '{PROMPT}' --model" in card
    (log,) = (tmp_path / "logs").rglob("events.out.tfevents.*")
    events = log.read_bytes()
    assert all(name in events for name in (b"denoising", b"maps", b"validation"))
    assert not (tmp_path / "class_images").exists()


def test_ctrl_c_says_what_is_kept_and_the_same_command_ends_the_same(
    call: Call, photo: Path, options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_step, steps = Training._make_step, iter(range(3))

    def interrupted(training: Training) -> dict[str, float]:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return make_step(training)

    command = ["teach", photo, *options, "--checkpointing-steps", 2, "--out"]
    out = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        patch.setattr(Training, "_make_step", interrupted)
        stopped = call(*command, out)
    assert stopped.code == 130
    kept = out / ".heedful" / "checkpoint.safetensors"
    assert f"Interrupted: 3 of 4 steps are done, 2 of them are kept in {kept}." in stopped.err
    assert not (out / "concepts.json").exists()
    assert (
        "nothing was taught there, or not to the end"
        in call(
            "generate", "a <cat1> cat", "--concepts-from", out, "--model", options[3], "--out", tmp_path / "none"
        ).err
    )
    assert call(*command, out).code == 0
    assert call(*command, tmp_path / "whole").code == 0
    assert _weights(out) == _weights(tmp_path / "whole")


def test_another_training_is_refused_in_the_same_folder_unless_it_may_overwrite(
    call: Call, photo: Path, options: list[object], tmp_path: Path
) -> None:
    command = ["teach", photo, *options, "--no-prior-preservation", "--out", tmp_path]
    assert call(*command).code == 0
    before = _weights(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    refused = call(*command, "--learning-rate", 0.01)
    assert refused.code == 2 and "On the command line: --out FOLDER, --overwrite." in refused.err
    assert _weights(tmp_path) == before
    assert call(*command, "--learning-rate", 0.01, "--overwrite").code == 0
    assert _weights(tmp_path) != before and (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_of_pictures_with_masks_learns_a_lora(
    call: Call, photo: Path, options: list[object], tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("a.png", "b.png"):
        (pictures / name).write_bytes(photo.read_bytes())
    mask = tmp_path / "mask.png"
    Image.new("L", (16, 16), 255).save(mask)
    more = ["--mask", mask, "--mask", mask, "--rank", 2, "--no-prior-preservation", "--num-vectors", 2]
    result = call("teach", pictures, *options, *more, "--out", tmp_path / "out")
    assert result.code == 0, result.err
    assert "pytorch_lora_weights.safetensors" in _weights(tmp_path / "out")


def test_photos_of_any_size_bring_their_captions_masks_and_boxes(
    call: Call, options: list[object], tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        Image.effect_noise((40, 16), 90).convert("RGB").save(photos / name)
    (photos / "a.txt").write_text("a <dog1> dog\nthe <dog1> dog\n")
    box = {"bbox": [[30, 2, 8, 8]], "categories": ["cat1"]}
    line = {"file_name": "b.png", "text": "a <cat1> cat", "objects": box}
    (photos / "metadata.jsonl").write_text(json.dumps(line))
    more = ["--no-prior-preservation", "--validation-prompt", "a <cat1> cat", "--num-validation-images", 1]
    command = ["teach", photos, *override(options, more), "--license", "mit", "--out"]
    result = call(*command, tmp_path / "out")
    assert result.code == 0, result.err
    assert f"{photos / 'a.png'}: a <dog1> dog | the <dog1> dog" in result.err
    assert f"{photos / 'b.png'}: a <cat1> cat; masks of <cat1>" in result.err
    training = json.loads((tmp_path / "out" / "concepts.json").read_text())["training"]
    assert training["captions"] == [["a <dog1> dog", "the <dog1> dog"], ["a <cat1> cat"], []]
    assert list(training["regions"][1]) == ["<cat1>"] and not training["regions"][0]
    assert ModelCard.load(tmp_path / "out" / "README.md").data.to_dict()["license"] == "mit"
    (photos / "c.txt").write_text("a dog")
    refused = call(*command, tmp_path / "other")
    assert refused.code == 2 and "Expected captions with the placeholders that are learnt" in refused.err
    plain = call(*override(command[:-1], ["--num-validation-images", 0]), "--no-captions", "--out", tmp_path / "other")
    assert plain.code == 0, plain.err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--prompt", "a cat and a dog"], "Expected placeholders in angle brackets before the nouns"),
        (["--prompt", "a <cat1> and a <dog1> dog"], "Expected a noun after <cat1>"),
        (["--validation-prompt", "a <cow1> cow"], "Expected placeholders that this model was taught (<cat1>, <dog1>)"),
        (["--method", "magic"], "Expected a teaching method, one of heedful, textual-inversion, "),
        (["--mixed-precision", "fp8"], 'Invalid value "fp8" for --mixed-precision. Choose from: "no", "fp16", "bf16".'),
        (["--max-train-steps", 0], "Expected max_train_steps of at least 1, got 0."),
        (["--initializer-token", "cat"], "Expected one initializer token for each of 2 placeholders, got 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_taught_says_why(
    call: Call, photo: Path, options: list[object], tmp_path: Path, given: list[object], says: str
) -> None:
    result = call("teach", photo, *override(options, given), "--no-prior-preservation", "--out", tmp_path / "out")
    assert result.code == 2 and result.err.splitlines()[-1].startswith(f"Error: {says}"), result.err
    assert not (tmp_path / "out" / "concepts.json").exists()


def test_a_prompt_too_long_to_say_how_far_away_it_is_seen_is_refused_before_anything_is_painted(
    call: Call, photo: Path, options: list[object], tmp_path: Path
) -> None:
    long = (
        "a <cat1> cat and a <dog1> dog and a cat and a dog and a cat and a dog and a cat and a dog and a cat and a dog"
    )
    result = call("teach", photo, *override(options, ["--prompt", long]), "--out", tmp_path)
    assert result.code == 2 and "Expected a prompt that leaves room for 'a far away' before it" in result.err
    assert not (tmp_path / "class_images").exists()


def test_a_picture_that_is_not_there(call: Call, options: list[object], tmp_path: Path) -> None:
    message = call("teach", tmp_path / "no.png", *options, "--out", tmp_path / "out").err
    assert message.startswith(f"Error: Expected an image at {tmp_path / 'no.png'}, but it cannot be read")
    (tmp_path / "empty").mkdir()
    message = call("teach", tmp_path / "empty", *options, "--out", tmp_path / "out").err
    assert message.startswith("Error: Expected images (.png, .jpg, .jpeg, .webp) in the folder ")
