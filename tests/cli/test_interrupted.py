"""Ctrl-C and a kill in the middle of `heedful generate`, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.cli.conftest import Call

PROMPT = "a cat and a blue clock"
SEEDS = 6
# Where the tests run in the background of a shell, Ctrl-C is ignored, and children inherit that: set it right first.
HEEDFUL = "import signal; signal.signal(2, signal.default_int_handler); from heedful.cli.main import main; main()"


def _images(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.glob("*/*/*.png")}


def _stopped(command: list[str], out: Path, how: signal.Signals) -> subprocess.CompletedProcess[str]:
    """Run `heedful` until its first image is there, send it the signal `how`, and wait for its end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HEEDFUL, *command, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads()), "COLUMNS": "200"},
    )
    while process.poll() is None and not _images(out):
        time.sleep(0.005)
    process.send_signal(how)
    streams = process.communicate(timeout=300)
    return subprocess.CompletedProcess(command, process.returncode, *streams)


@pytest.mark.parametrize(
    ("how", "batch_size"),
    [(signal.SIGINT, 2), pytest.param(signal.SIGKILL, 1, marks=pytest.mark.slow)],
    ids=["ctrl-c", "kill -9"],
)
def test_only_whole_images_are_left_and_the_same_command_makes_the_rest(
    call: Call, model_folder: Path, tmp_path: Path, how: signal.Signals, batch_size: int
) -> None:
    settings = [
        "--method",
        "a-star",
        "--steps",
        10,
        "--seeds",
        f"0-{SEEDS - 1}",
        "--batch-size",
        batch_size,
        "--model",
        model_folder,
    ]
    command = ["generate", PROMPT, *map(str, settings)]
    out = tmp_path / "stopped"
    end = _stopped(command, out, how)

    left = _images(out)
    assert 0 < len(left) < SEEDS
    for path in out.glob("*/*/*.png"):
        with Image.open(path) as image:
            image.load()  # raises if it is cut off
    if how == signal.SIGINT:
        assert end.returncode == 130 and "Traceback" not in end.stderr
        assert f"Interrupted: {len(left)} of {SEEDS} images are done and whole, in {out}." in end.stderr
        assert "The same command (without --overwrite) makes the rest." in end.stderr
        assert len(left) % batch_size == 0
        rows = [json.loads(line) for line in (out / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
        assert {Path(row["file_name"]).name for row in rows} == set(left)
    assert not (out / "grid.png").exists()

    again = call(*command, "--out", out)
    assert again.code == 0 and f"{len(left)} of {SEEDS} images are there already." in again.err
    finished = _images(out)
    assert left.items() <= finished.items()
    assert call(*command, "--out", tmp_path / "whole").code == 0
    assert finished == _images(tmp_path / "whole")
    assert (out / "metadata.jsonl").read_bytes() == (tmp_path / "whole" / "metadata.jsonl").read_bytes()
