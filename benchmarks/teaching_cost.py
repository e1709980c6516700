"""What teaching costs on Stable Diffusion 1.5 at its full size, random weights: seconds and memory of a step.

    python benchmarks/teaching_cost.py                      # every row, each in a process of its own; half an hour
    python benchmarks/teaching_cost.py --rows "disendiff, bf16, checkpointing" --threads 2

One image of 512 px and one class image per step. Memory is the most that the process held during the second step,
beyond what it held with only its libraries loaded: weights, what learns and its optimizer, and activations. Writes OUT
(JSON) and prints the table.
"""

import json
import resource
import subprocess
import sys
import threading
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import psutil
import torch
import typer
from PIL import Image
from rich.console import Console
from sd15 import sd15_pipeline

from heedful.files import write_atomic
from heedful.options import TrainingOptions
from heedful.report.markdown import table
from heedful.teaching import METHODS, Callbacks, teach

STEPS = 3
ROWS: dict[str, tuple[str, torch.dtype, bool]] = {
    "disendiff, float32": ("disendiff", torch.float32, False),
    "disendiff, bf16": ("disendiff", torch.bfloat16, False),
    "disendiff, bf16, checkpointing": ("disendiff", torch.bfloat16, True),
    "disendiff-lora, bf16, checkpointing": ("disendiff-lora", torch.bfloat16, True),
    "heedful-lora, bf16, checkpointing": ("heedful-lora", torch.bfloat16, True),
    "custom-diffusion, bf16, checkpointing": ("custom-diffusion", torch.bfloat16, True),
    "textual-inversion, bf16, checkpointing": ("textual-inversion", torch.bfloat16, True),
    "dreambooth-lora, bf16, checkpointing": ("dreambooth-lora", torch.bfloat16, True),
}


def main(
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("out/teaching-cost.json"),
    rows: Annotated[list[str] | None, typer.Option(help="Rows of the table; all of them unless given.")] = None,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 1,
    alone: Annotated[str | None, typer.Option(help="Measure this row in this very process.", hidden=True)] = None,
) -> None:
    """Measure each row in a process of its own, so that none has another's memory."""
    torch.set_num_threads(threads)
    if alone is not None:
        Console().print_json(json.dumps(measure(*ROWS[alone])))
        return
    found: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    for row in rows or ROWS:
        command = [sys.executable, __file__, "--alone", row, "--threads", str(threads)]
        printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        found[row] = json.loads(printed[printed.index("{") :]) | {"threads": threads}
        write_atomic(out, json.dumps(found, indent=1) + "\n")
    cells = [[name, f"{one['seconds']:.0f}", f"{one['gib']:.1f}", f"{one['learns']:,}"] for name, one in found.items()]
    Console(width=160).print(
        "\n".join(table(["", "seconds per step", "GiB", "numbers that learn"], cells)), markup=False
    )


def measure(name: str, dtype: torch.dtype, checkpointing: bool) -> dict[str, Any]:
    """Return seconds of a step (median but for the first), GiB at the peak, and how many numbers learn."""
    idle = psutil.Process().memory_info().rss
    pipe = sd15_pipeline(whole=True).to(dtype)
    pipe.vae.to(torch.float32)
    method = METHODS[name]
    settings = replace(method.settings, max_train_steps=STEPS, train_batch_size=1, num_class_images=1, say_scale=False)
    times: list[float] = [time.perf_counter()]
    peak = _Peak()
    folder = Path(f"out/teaching-cost/{name}-{dtype}-{checkpointing}")
    shelf = folder / "class_images"
    shelf.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (512, 512), (200, 180, 60)).save(shelf / "00000.png")  # generating one would be measured as well
    (folder / "concepts.json").unlink(missing_ok=True)

    def on_step(step: int, steps: int, losses: dict[str, float]) -> None:
        times.append(time.perf_counter())

    with peak:
        taught = teach(
            pipe, Image.new("RGB", (512, 512), (90, 140, 60)), "a <cat1> cat and a <dog1> dog", method, out=folder,
            settings=settings,
            training=TrainingOptions(gradient_checkpointing=checkpointing, checkpointing_steps=10_000),
            callbacks=Callbacks(on_step=on_step),
        )  # fmt: skip
    assert taught.folder == folder
    learns = (
        sum(each.numel() for each in pipe.unet.parameters()) if method.weights == "all" and not method.rank else None
    )
    return {
        "seconds": median(after - before for before, after in pairwise(times[1:])),
        "gib": (max(peak.most, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024) - idle) / 2**30,
        "learns": learns or _learnt(folder),
    }


def _learnt(folder: Path) -> int:
    """Return how many numbers the files hold that came out."""
    from safetensors.torch import load_file

    return sum(value.numel() for file in folder.glob("*.safetensors") for value in load_file(file).values())


class _Peak:
    """The most memory that this process held while the block was open, looked at every 20 ms."""

    def __init__(self) -> None:
        self.most = 0
        self._over = threading.Event()

    def __enter__(self) -> "_Peak":
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        process = psutil.Process()
        while not self._over.wait(0.02):
            self.most = max(self.most, process.memory_info().rss)


if __name__ == "__main__":
    typer.run(main)
