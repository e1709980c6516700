"""How far it is from what a person types to where the work is done: the frames and files of heedful on the way.

    python benchmarks/walks.py

Four walks: a prompt to the pipeline's call, an image in `teach` to the optimizer's step, a case of `bench run` to the
pipeline's call, and maps in `guide` to the loss. Each stops there; docs/architecture.md quotes the figures.
"""

import contextlib
import io
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline

import heedful
from heedful.cli.main import main as heedful_command

ROOT = Path(heedful.__file__).parent
PHOTO = ROOT / "world/data/one_image_concepts/bear-rabbit.png"


class Arrived(BaseException):
    """Carries the frames of heedful that were open when the work began."""

    def __init__(self) -> None:
        self.frames = [frame for frame in traceback.extract_stack() if Path(frame.filename).is_relative_to(ROOT)]


def arrive(*_: Any, **__: Any) -> Any:
    """Stand where the work is done."""
    raise Arrived


def walk(*words: str) -> list[traceback.FrameSummary]:
    """Return the frames between the command line and the work."""
    quiet = io.StringIO()
    try:
        with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            heedful_command(list(words))
    except Arrived as arrived:
        return arrived.frames
    except SystemExit:
        pass
    raise AssertionError(f"{words[0]} did not get there:\n{quiet.getvalue()}")


def say(name: str, frames: list[traceback.FrameSummary]) -> None:
    """Print how many frames and files a walk has, and which files."""
    files = list(dict.fromkeys(Path(frame.filename).relative_to(ROOT).as_posix() for frame in frames))
    sys.stdout.write(f"{name}: {len(frames)} frames, {len(files)} files ({', '.join(files)})\n")


def main() -> None:
    """Walk the four ways."""
    with tempfile.TemporaryDirectory() as out:
        call, step = StableDiffusionPipeline.__call__, torch.optim.AdamW.step
        StableDiffusionPipeline.__call__ = arrive
        say("prompt to image", walk("generate", "a cat and a blue clock", "--seeds", "0", "--out", f"{out}/images"))
        suite = Path(out) / "suite.txt"
        suite.write_text("a cat and a blue clock\n")
        say("case in bench run", walk("bench", "run", "--suite", str(suite), "--seeds", "0", "--out", f"{out}/bench"))
        StableDiffusionPipeline.__call__ = call
        torch.optim.AdamW.step = arrive
        prompt = "a <one> bear and a <two> rabbit"
        teach = ("teach", str(PHOTO), "--prompt", prompt, "--num-class-images", "1", "--out", f"{out}/taught")
        say("image in teach", walk(*teach, "--method", "disendiff", "--train-batch-size", "1"))
        torch.optim.AdamW.step = step
    pipe = heedful.world.load()
    pipe.set_progress_bar_config(disable=True)
    try:
        with heedful.guide(pipe, "a cat and a blue clock", arrive):
            pipe("a cat and a blue clock", num_inference_steps=4)
    except Arrived as arrived:
        say("loss in guide", arrived.frames)


if __name__ == "__main__":
    main()
