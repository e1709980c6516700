"""The command line as a person calls it: arguments in, exit code and two streams out."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from heedful.cli import console, main
from tests.pipelines import tiny_pipeline, tiny_text_encoder


@dataclass(frozen=True)
class Result:
    """What a call left behind."""

    code: int
    out: str
    err: str


Call = Callable[..., Result]


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random pipeline, as save_pretrained writes it."""
    folder = tmp_path_factory.mktemp("model")
    tiny_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """`call("generate", "a cat", ...)` is `heedful generate "a cat" ...` in this process."""
    monkeypatch.setenv("COLUMNS", "200")
    for stream in (console.out, console.err):
        monkeypatch.setattr(stream, "_width", 200)

    def run(*arguments: object) -> Result:
        with pytest.raises(SystemExit) as end:
            main.main([str(argument) for argument in arguments])
        sys.stdout.flush()
        streams = capsys.readouterr()
        return Result(int(end.value.code or 0), streams.out, streams.err)

    return run


def override(command: Sequence[object], changes: Sequence[object]) -> list[object]:
    """Return `command` with the options of `changes` and their values in place of its own: none is given twice."""
    named = {word for word in changes if str(word).startswith("--")}
    kept: list[object] = []
    is_dropped = False
    for word in command:
        is_dropped = word in named if str(word).startswith("--") else is_dropped
        if not is_dropped:
            kept.append(word)
    return [*kept, *changes]


@pytest.fixture(scope="session")
def lesson_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random pipeline that reads 40 tokens: captions that say a scale are long to the world's tokenizer."""
    pipe: Any = tiny_pipeline()
    pipe.tokenizer.model_max_length = 40
    pipe.text_encoder = tiny_text_encoder(pipe.tokenizer)
    folder = tmp_path_factory.mktemp("model")
    pipe.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture to learn from, as noisy as pixels can be."""
    file = tmp_path_factory.mktemp("photos") / "photo.png"
    Image.effect_noise((16, 16), 90).convert("RGB").save(file)
    return file
