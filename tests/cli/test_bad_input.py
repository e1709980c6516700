"""What a person can get wrong: one clear message, exit code 2, and nothing half-written."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.cli.conftest import Call

PROMPT = "a cat and a dog"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def _refused(call: Call, out: Path, *arguments: object) -> str:
    """Call `heedful generate`, which must refuse and write nothing, and return its message."""
    result = call("generate", *arguments, "--out", out)
    assert result.code == 2
    assert result.out == "" and "Traceback" not in result.err
    assert not out.exists()
    assert result.err.startswith("Error: ") and result.err.count("\n") == 1
    return result.err.removeprefix("Error: ").rstrip()


def test_a_concept_that_is_not_in_the_prompt(call: Call, out: Path, model_folder: Path) -> None:
    message = _refused(call, out, PROMPT, "--concepts", "cat,cow", "--model", model_folder)
    assert "'cow' in the prompt 'a cat and a dog'. Its words are: a, cat, and, dog." in message
    assert message.endswith('On the command line: --concepts "cat,blue clock".')


@pytest.mark.parametrize("prompt", ["", "   ", "[]"])
def test_a_prompt_without_words(call: Call, out: Path, model_folder: Path, prompt: str) -> None:
    assert "Expected" in _refused(call, out, prompt, "--model", model_folder)


def test_no_prompt_at_all(call: Call, out: Path, model_folder: Path) -> None:
    assert _refused(call, out, "--model", model_folder).startswith("Expected a prompt, got none.")


def test_a_prompt_longer_than_the_model_reads(call: Call, out: Path, model_folder: Path) -> None:
    message = _refused(call, out, "a cat and a dog and " * 4 + "a cow", "--model", model_folder)
    assert message.startswith("Expected at most 16 tokens, got a prompt of 30") and "Shorten the prompt" in message


@pytest.mark.parametrize("scheduler", ["unipcmultistep", "dpmsolversinglestep"])
def test_a_scheduler_that_drops_updates_is_refused_before_any_method_writes(
    call: Call, out: Path, model_folder: Path, scheduler: str
) -> None:
    choice = ["--compare", "none,a-star", "--scheduler", scheduler]
    message = _refused(call, out, PROMPT, *choice, "--model", model_folder)
    assert message.startswith('Expected a scheduler that serves the scheme "exact", got ')
    assert message.endswith("On the command line: --scheduler ddim.")


def test_an_unknown_scheduler(call: Call, out: Path, model_folder: Path) -> None:
    message = _refused(call, out, PROMPT, "--scheduler", "magic", "--model", model_folder)
    assert message.startswith("Expected one of the schedulers ddim,") and message.endswith("got 'magic'.")


def test_a_model_folder_that_is_not_there(call: Call, out: Path, tmp_path: Path) -> None:
    for place in (tmp_path / "no model", "./no-model", "~/no-model-of-mine"):
        message = _refused(call, out, PROMPT, "--model", place)
        assert message.startswith("Expected a folder with a pipeline at ") and "there is no such folder" in message


def test_a_model_that_no_hub_gives(call: Call, out: Path) -> None:
    message = _refused(call, out, PROMPT, "--model", "somebody/nothing")
    assert message == (
        "Expected a model called somebody/nothing on the hub (there is no such folder here), but the hub cannot be "
        "reached and no earlier download is here. Check the connection, or pass a folder."
    )


def test_a_folder_without_a_pipeline(call: Call, out: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes.txt").write_text("")
    message = _refused(call, out, PROMPT, "--model", tmp_path / "model")
    assert message.startswith("Expected model_index.json in the folder ") and "found notes.txt." in message


def test_a_single_file_instead_of_a_folder(call: Call, out: Path, tmp_path: Path) -> None:
    (tmp_path / "sd.safetensors").write_text("")
    assert "Convert it once with" in _refused(call, out, PROMPT, "--model", tmp_path / "sd.safetensors")


@pytest.mark.parametrize("name", ["unet/diffusion_pytorch_model.bin", "sd.ckpt", "vae/weights.pt"])
def test_a_folder_of_pickles(call: Call, out: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(b"never read")
    (folder / "model_index.json").write_text("{}")
    message = _refused(call, out, PROMPT, "--model", folder)
    assert message.startswith(f"Expected weights as *.safetensors in {folder}, got pickles") and name in message


def test_a_broken_pipeline(call: Call, out: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model_index.json").write_text('{"_class_name": "NoSuchPipeline"}')
    message = _refused(call, out, PROMPT, "--model", folder)
    assert message.startswith(f"Expected to load a pipeline from {folder}, but diffusers says: ")


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("tensor", "Expected all weights of unet in "),
        ("tokenizer", "Expected the folder tokenizer in "),
        ("config", "Expected to load a pipeline from "),
    ],
)
def test_a_pipeline_that_lacks_something(
    call: Call, out: Path, tmp_path: Path, model_folder: Path, broken: str, message: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    if broken == "tensor":
        (file,) = (folder / "unet").glob("*.safetensors")
        tensors = load_file(file)
        save_file({name: value for name, value in tensors.items() if name != "conv_in.bias"}, file)
    elif broken == "tokenizer":
        shutil.rmtree(folder / "tokenizer")
    else:
        config = folder / "unet" / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {"block_out_channels": 3}))
    said = _refused(call, out, PROMPT, "--model", folder)
    assert said.startswith(message) and said.endswith((" Get the model whole.", "what it needs."))


def test_a_folder_that_cannot_be_written(call: Call, tmp_path: Path, model_folder: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for out in (file, file / "below"):
        result = call("generate", PROMPT, "--model", model_folder, "--out", out)
        assert result.code == 2
        assert result.err == (
            f"Error: Expected a folder to write to, got {out}, but {file} is a file. Choose another folder. "
            "On the command line: --out FOLDER.\n"
        )
    assert file.read_text() == "mine"


def test_seeds_that_count_down(call: Call, out: Path) -> None:
    assert _refused(call, out, PROMPT, "--seeds", "3-1").endswith("the range 3-1 counts down; write 1-3.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "magic"], "Expected a method, one of none, attend-and-excite,"),
        (["--compare", "none,,a-star"], "Expected methods with commas between them"),
        (["--method", "none", "--compare", "none"], "Expected either --method or --compare, got both."),
        (["--prompts", "no such file"], "Expected a text file of prompts at no such file"),
    ],
)
def test_choices_that_do_not_exist(call: Call, out: Path, arguments: list[str], message: str) -> None:
    assert _refused(call, out, PROMPT, *arguments).startswith(message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0"], "Expected steps of 1 or more, got 0."),
        (["--batch-size", "-1"], "Expected a batch size of 1 or more, got -1. On the command line: --batch-size 1."),
        (["--guidance-scale", "nan"], "Expected a guidance scale of 0 or more, got nan."),
        (["--guidance-scale", "inf"], "Expected a guidance scale of 0 or more, got inf."),
        (["--width", "33"], "Expected a width that is a multiple of 8 pixels, got 33. The nearest is 32."),
        (["--device", "abacus"], "Expected one of the devices auto, cpu, cuda, mps, got 'abacus'."),
        (["--dtype", "int4"], "Expected one of the dtypes float32, float16, bfloat16, got 'int4'."),
    ],
)
def test_numbers_outside_what_is_possible(
    call: Call, out: Path, model_folder: Path, arguments: list[str], message: str
) -> None:
    assert _refused(call, out, PROMPT, *arguments, "--model", model_folder) == message


def test_one_list_of_concepts_does_not_fit_two_prompts(call: Call, out: Path, model_folder: Path) -> None:
    message = _refused(call, out, PROMPT, "a cat", "--concepts", "cat", "--model", model_folder)
    assert message.startswith("Expected one prompt with a list of concepts, got 2. Mark the concepts")


def test_the_same_text_with_other_marks(call: Call, out: Path, model_folder: Path) -> None:
    message = _refused(call, out, "a [cat] and a dog", "a cat and a [dog]", "--model", model_folder)
    assert "which are the same text with other marks" in message


def test_an_unknown_option_is_a_usage_error(call: Call) -> None:
    assert call("generate", PROMPT, "--magic").code == 2


def test_debug_shows_where_an_error_came_from(call: Call, out: Path) -> None:
    result = call("generate", PROMPT, "--seeds", "3-1", "--out", out, "--debug")
    assert result.code == 2 and "Traceback" in result.err and "_not_seeds" in result.err
    assert result.err.splitlines()[-1].startswith("Error: Expected seeds ")


def test_a_tilde_is_the_home_of_the_person(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    result = call("bench", "report", "~/nothing")
    assert result.code == 2 and str(tmp_path / "nothing") in result.err


def test_a_sheet_that_cannot_be_written_is_refused_before_the_model_is_loaded(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr("heedful.world.load", load)
    (tmp_path / "file").touch()
    result = call("world", "sample", "--out", tmp_path / "file" / "sheet.png")
    assert result.code == 2 and "is a file. Choose another folder" in result.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["generate", "a cat \udcff"], "Expected text in UTF-8 for PROMPTS, got 'a cat \\udcff'."),
        (["see", PROMPT, "--seed", 10**22], f"{10**22} is larger than {2**63 - 1}"),
        (["world", "train", "--threads", 0], "Expected 1 thread or more, got 0."),
        (["world", "train", "--device", "abacus"], "Expected one of the devices auto, cpu, cuda, mps, got 'abacus'."),
        (
            ["world", "evaluate", *(f"--{kind}-seeds=0" for kind in ("single", "two", "three", "pointing"))],
            "Expected seeds for one kind of prompt or more, got 0 for all of them.",
        ),
    ],
)
def test_what_no_command_can_do_is_refused_in_a_sentence(
    call: Call, out: Path, words: list[object], message: str
) -> None:
    result = call(*words, "--out", out)
    assert result.code == 2 and message in result.err and "Traceback" not in result.err
    assert not out.exists()
