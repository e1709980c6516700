"""What the page costs: seconds until it can be used, seconds until the first image, and memory over many runs.

    python benchmarks/page_cost.py --runs 50

Seconds are those of the clock and those of the processor; the first want a machine with nothing else to do, the second
change little on a busy one. Needs the extra `app`, and Linux, whose /proc says what a process uses. No browser: it
fetches what one would.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import typer

_TRIES = 0.05  # seconds between two tries to reach the page
Query = Annotated[str, typer.Option(help="The state whose images are made, as a link says it.")]


def main(
    runs: Annotated[int, typer.Option(help="Runs over which memory is followed.")] = 50,
    query: Query = "",
    port: Annotated[int, typer.Option(help="A free port.")] = 7899,
) -> None:
    """Print a line of JSON with everything that was measured."""
    with TemporaryDirectory() as folder, opened(Path(folder), port) as (address, process, loaded):
        loaded_cpu = processor_seconds(process.pid)
        first = first_image(address, query, process.pid)
        again = first_image(address, query, process.pid)
        kept = []
        for _ in range(runs):
            first_image(address, query, process.pid)
            kept.append(megabytes(process.pid))
    tenth = max(1, len(kept) // 10)
    said = {
        "page_seconds": round(loaded, 2),
        "page_processor_seconds": round(loaded_cpu, 2),
        "first_image_seconds": [round(seconds, 2) for seconds in first],
        "first_image_again_seconds": [round(seconds, 2) for seconds in again],
        "runs": runs,
        "megabytes_after_first_runs": round(sum(kept[:tenth]) / tenth),
        "megabytes_after_last_runs": round(sum(kept[-tenth:]) / tenth),
        "megabytes": kept,
    }
    typer.echo(json.dumps(said))


@contextmanager
def opened(folder: Path, port: int) -> Iterator[tuple[str, subprocess.Popen[bytes], float]]:
    """Open the page in a process of its own; yield its address, the process, and the seconds until all of it loaded."""
    start = time.perf_counter()
    words = [sys.executable, "-m", "heedful", "app", "--no-browser", "--port", str(port)]
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                fetch_page(address)
                break
            except URLError:
                assert process.poll() is None, "the page did not open"
                time.sleep(_TRIES)
        yield address, process, time.perf_counter() - start
    finally:
        process.terminate()
        process.wait()


def fetch_page(address: str) -> int:
    """Fetch the page with everything that a browser loads for it, and return the bytes."""
    seen: dict[str, bytes] = {}
    left = ["/"]
    while left:
        path = left.pop()
        with urlopen(address + path, timeout=30) as answer:
            seen[path] = answer.read()
        text = seen[path].decode()
        names = re.findall(r'"(?:page|\.)/([\w.]+\.(?:css|js|svg))', text)
        left += [each for name in names if (each := f"/page/{name}") not in seen and each not in left]
    with urlopen(address + "/api/about", timeout=30) as answer:
        seen["about"] = answer.read()
    return sum(map(len, seen.values()))


def first_image(address: str, query: str, process: int) -> tuple[float, float]:
    """Press the button and wait for the whole run; return the seconds until its first image, of clock and processor."""
    start, used = time.perf_counter(), processor_seconds(process)
    found: tuple[float, float] | None = None
    for news in run(address, query):
        assert news["kind"] != "failed", news
        if news["kind"] == "image" and found is None:
            found = time.perf_counter() - start, processor_seconds(process) - used
    assert found is not None, "the run made no image"
    return found


def run(address: str, query: str) -> Iterator[dict[str, Any]]:
    """Yield the news of a run while they come."""
    body = json.dumps({"query": query, "key": "page_cost"}).encode()
    asked = Request(f"{address}/api/steer", body, {"Content-Type": "application/json"})
    with urlopen(asked, timeout=600) as answer:
        for line in answer:
            if line.strip():
                yield json.loads(line)


def processor_seconds(process: int) -> float:
    """Return the processor's time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def megabytes(process: int) -> int:
    """Return what a process keeps in memory."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) // 1024


if __name__ == "__main__":
    typer.run(main)
