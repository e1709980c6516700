"""`heedful see`, `doctor`, `cite`, and what all commands share."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from safetensors import safe_open

from heedful.cli.console import exit_code, say, say_table
from heedful.errors import HeedfulError, MissingExtra, ModelNotFound
from heedful.folders import OutputFolder
from tests.cli.conftest import Call

PROMPT = "a cat and a blue clock"


@pytest.mark.parametrize("method", ["none", "a-star"])
def test_see_writes_pictures_maps_and_figures(call: Call, model_folder: Path, tmp_path: Path, method: str) -> None:
    options = ["--model", model_folder, "--steps", 5, "--method", method, "--out", tmp_path]
    result = call("see", PROMPT, "--seed", 3, *options)
    folder = tmp_path / method / PROMPT / "3"
    assert result.code == 0 and result.out.splitlines()[-1] == str(folder / "sheet.png")
    assert result.err.count("Concepts: cat; blue clock") == 1
    assert sorted(path.name for path in folder.iterdir()) == [
        "image.png",
        "maps.json",
        "maps.safetensors",
        "overlay blue clock.png",
        "overlay cat.png",
        "sheet.png",
        "steps.webp",
    ]
    figures = json.loads((folder / "maps.json").read_text(encoding="utf-8"))
    assert [concept["name"] for concept in figures["concepts"]] == ["cat", "blue clock"]
    assert len(figures["steps"]) == 5 and 0 <= figures["steps"][4]["overlap"]["cat / blue clock"] <= 1
    with safe_open(folder / "maps.safetensors", "pt") as maps:
        for concept in figures["concepts"]:
            values = maps.get_tensor(concept["tensor"])
            assert values.shape[0] == 5 and values.min() >= 0 and values.max() <= 1
    with Image.open(folder / "image.png") as image, Image.open(folder / "overlay cat.png") as overlay:
        assert image.size == (16, 16) and overlay.height == 512  # large enough to see, with the scale of its colours
        assert overlay.width > overlay.height
    with Image.open(folder / "steps.webp") as steps:
        assert getattr(steps, "n_frames", 0) == 5


def test_see_shows_the_image_that_generate_makes(call: Call, model_folder: Path, tmp_path: Path) -> None:
    options = ["--model", model_folder, "--steps", 4, "--method", "a-star"]
    call("generate", PROMPT, "--seeds", 3, "--out", tmp_path / "generated", *options)
    call("see", PROMPT, "--seed", 3, "--out", tmp_path / "seen", *options)
    place = Path("a-star") / PROMPT
    with (
        Image.open(tmp_path / "generated" / place / "3.png") as generated,
        Image.open(tmp_path / "seen" / place / "3" / "image.png") as seen,
    ):
        assert generated.tobytes() == seen.tobytes()


def test_see_reads_an_image_that_is_there_and_words_that_no_prompt_had(
    call: Call, model_folder: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    Image.new("RGB", (40, 40), "teal").save(photo)
    options = ["--model", model_folder, "--steps", 2, "--out", tmp_path / "out", "--animation", "none"]
    result = call("see", "a cat and a dog", "--image", photo, "--words", "a red car", *options)
    folder = tmp_path / "out" / "photo.png" / "a cat and a dog" / "0"
    assert result.code == 0 and result.out.splitlines()[-1] == str(folder / "sheet.png")
    files = {path.name for path in folder.iterdir()}
    assert {"overlay cat.png", "overlay red car.png", "words maps.json"} <= files and "steps.webp" not in files
    with Image.open(folder / "image.png") as image:  # the image itself, not what the model would make of it
        assert image.getcolors() == [(16 * 16, (0, 128, 128))]
    steered = call("see", "a cat", "--image", photo, "--method", "a-star", *options)
    assert steered.code == 2 and "the method none for an image that is there" in steered.err
    named = call("see", "a cat", "--words", "cat", *options)
    assert named.code == 2 and "words that are not in 'a cat'" in named.err


@pytest.mark.parametrize("own", ["overlay red car.png", "words maps.json", "maps.safetensors", "steps.webp"])
def test_see_asks_for_each_of_its_files_before_the_work(
    call: Call, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str
) -> None:
    monkeypatch.setattr("heedful.images.sight.paint", lambda *_, **__: pytest.fail("the work has begun"))
    mine = tmp_path / "none" / PROMPT / "0" / own
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    result = call("see", PROMPT, "--words", "a red car", "--model", model_folder, "--steps", 1, "--out", tmp_path)
    assert result.code == 2 and own in result.err and "It is not replaced." in result.err
    assert mine.read_text() == "mine"


def test_see_needs_a_concept_to_look_for(call: Call, model_folder: Path, tmp_path: Path) -> None:
    result = call("see", "and with of", "--model", model_folder, "--out", tmp_path / "out")
    assert result.code == 2 and "Mark them, as in a [cat], or give the concepts by name." in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["see", "generate"])
def test_another_run_is_kept_out_and_a_persons_file_stays(
    call: Call, model_folder: Path, tmp_path: Path, command: str
) -> None:
    words = [command, PROMPT, "--model", model_folder, "--steps", 1, "--method", "none", "--out", tmp_path]
    with OutputFolder(tmp_path).locked():
        result = call(*words)
    assert result.code == 2 and "another one writes there (process " in result.err
    own = tmp_path / ("grid.png" if command == "generate" else f"none/{PROMPT}/0/sheet.png")
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text("mine")
    result = call(*words)
    assert result.code == 2 and own.name in result.err and "It is not replaced." in result.err
    assert own.read_text() == "mine"


def test_see_repeats_itself_in_json(call: Call, model_folder: Path, tmp_path: Path) -> None:
    result = call("see", PROMPT, "--json", "--model", model_folder, "--steps", 2, "--out", tmp_path)
    seen = json.loads(result.out)
    assert all((Path(seen["out"]) / file).is_file() for file in seen["files"])


def test_doctor_says_what_is_there_and_how_to_get_what_is_not(call: Call) -> None:
    result = call("doctor")
    assert result.code == 0
    for word in ("python", "torch", "diffusers", "transformers", "cpu", "threads", "embedded model"):
        assert word in result.out
    found = json.loads(call("doctor", "--json").out)
    extras = {"app", "ray", "train", "report", "syntax", "weights"}
    assert found["versions"]["torch"] and set(found["extras"]) == extras
    for name, extra in found["extras"].items():
        assert (extra["version"] is None) == (extra["remedy"] == f"pip install 'heedful[{name}]'")
        assert extra["remedy"] is None or extra["remedy"] in result.out


def test_cite_prints_the_papers_of_methods_once(call: Call) -> None:
    result = call("cite", "a-star", "attend-and-excite", "attend-and-excite+a-star")
    assert result.code == 0
    for key in ("agarwal2023astar", "chefer2023attend", "@software{heedful"):
        assert result.out.count(key) == 1
    assert call("cite").out.startswith("@software{heedful")


def test_cite_lists_the_methods_for_an_unknown_one(call: Call) -> None:
    result = call("cite", "astar")
    assert result.code == 2 and "Expected a method, one of none, attend-and-excite, a-star," in result.err


def test_help_and_version_do_not_wait_for_torch() -> None:
    code = (
        "import sys; from heedful.cli.main import app\n"
        "for words in (['--help'], ['--version'], ['generate', '--help'], ['teach', '--help']):\n"
        "    app(words)\n"
        "sys.exit(sorted({'torch', 'diffusers', 'transformers'} & set(sys.modules)) or 0)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "generate" in result.stdout and "heedful 0." in result.stdout


def test_what_looks_like_markup_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Names in records are anybody's."""
    say_table(("method", "[/red]"), [("[/red]", "[bold]1")])
    say("[/red]")
    assert capsys.readouterr().out.count("[/red]") == 3


def test_what_was_asked_for_is_at_fault_or_the_installation() -> None:
    assert [exit_code(kind("")) for kind in (ModelNotFound, MissingExtra, HeedfulError)] == [2, 1, 1]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (PermissionError(13, "Permission denied", "a/b"), 2, "use the file or folder a/b, but the system says: Perm"),
        (MemoryError(), 1, "The memory was too small."),
        (KeyError("unet"), 1, "KeyError: 'unet' (--debug shows where)"),
        (UnicodeEncodeError("utf-8", "x", 0, 1, "no"), 2, "UnicodeEncodeError: "),
    ],
)
def test_any_error_ends_in_a_sentence_and_an_exit_code(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, message: str
) -> None:
    def raises(*_: object) -> None:
        raise error

    monkeypatch.setattr("heedful.models.open_model", raises)
    result = call("see", PROMPT, "--out", tmp_path)
    assert result.code == code and f"Error: {message}" in result.err.replace("Expected to ", "")
    assert "Traceback" not in result.err
