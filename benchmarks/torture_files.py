"""What `torture.py` does to files: cuts records off anywhere, and gives commands files that are no good."""

import json
import random
from pathlib import Path

import numpy as np
from torture_jobs import PHOTO, Found, Job, pixels, run


def truncated(job: Job, folder: Path, offsets: int, moments: random.Random) -> Found:
    """Cut the records of a benchmark at random offsets, half of them with garbage behind; what is read stays right.

    After the folder has been entered as a run enters it, its records are the whole batches before the cut.
    """
    from heedful.bench import BenchFolder, read_records

    whole = folder / "whole"
    if run(job, whole):
        return Found("records, truncated", 0, ("the undisturbed run failed",))
    (file,) = (whole / "records").glob("cases-*.jsonl")
    text = file.read_bytes()
    lines = [json.loads(line) for line in text.splitlines()]
    ends = np.cumsum([len(line) + 1 for line in text.splitlines()])
    faults = []
    for _ in range(offsets):
        cut = moments.randint(0, len(text))
        garbage = moments.choice((b"", b"\0\0\0", b"{", moments.randbytes(7).replace(b"\n", b"")))
        file.write_bytes(text[:cut] + garbage)
        kept = sum(int(end) <= cut for end in ends)
        while kept and lines[kept - 1]["batch"][0] < lines[kept - 1]["batch"][1]:
            kept -= 1  # the last batch is whole or absent
        with BenchFolder(whole).locked():
            pass
        found = [line["key"] for line in read_records(whole)]
        if found != [line["key"] for line in lines[:kept]]:
            faults.append(f"cut at byte {cut}: {len(found)} records instead of {kept}")
    file.write_bytes(text)
    return Found("records, truncated", offsets, tuple(faults[:5]))


BAD_FILES: dict[str, tuple[str, ...]] = {
    "prompts": ("generate", "--prompts", "{file}"),
    "suite": ("bench", "run", "--suite", "{file}", "--limit", "1"),
    "inpainting image": ("generate", "a cat", "--image", "{file}", "--mask-image", str(PHOTO)),
    "inpainting mask": ("generate", "a cat", "--image", str(PHOTO), "--mask-image", "{file}"),
    "photo": ("teach", "{file}", "--prompt", "a <one> cat"),
    "mask": ("teach", str(PHOTO), "--prompt", "a <one> bear", "--mask", "{file}"),
    "LoRA": ("generate", "a cat", "--lora", "{file}"),
    "model": ("generate", "a cat", "--model", "{folder}"),
    "taught folder": ("generate", "a <one> cat", "--concepts-from", "{folder}"),
    "records": ("bench", "report", "{records}"),
    "figures": ("world", "card", "--figures", "{file}"),
    "audit": ("world", "agreement", "{file}"),
}
"""What a person may name: the command, with the bad file or a folder that holds it."""

_IN_FOLDER = {"model": "model_index.json", "taught folder": "heedful.json", "records": "records/cases-0.jsonl"}


def bad_contents(moments: random.Random) -> bytes:
    """Return bytes that are no good file: empty, random, cut, of another kind, or JSON of another shape."""
    photo = PHOTO.read_bytes()
    return moments.choice(
        (
            b"",
            moments.randbytes(moments.randint(1, 4096)),
            photo[: moments.randint(1, len(photo))],
            b"\x80\x04\x95" + moments.randbytes(64),
            b"PK\x03\x04" + moments.randbytes(64),
            moments.choice((b"{}", b"[]", b"null", b"1e999", b'{"a": [', b'"\xff"', b"[/red]\n", b"\0" * 100)),
            (10**9).to_bytes(8, "little") + b"{" * 20,
        )
    )


def given_bad_files(folder: Path, files: int, moments: random.Random) -> Found:
    """Give each command bad files; it ends with exit code 1 or 2 and a sentence, and leaves the files as they were."""
    faults = []
    names = list(BAD_FILES)
    for number in range(files):
        name = names[number % len(names)]
        near = folder / f"bad-{number}"
        file = near / _IN_FOLDER.get(name, moments.choice(("bad.png", "bad.json", "bad.safetensors", "bad.txt")))
        file.parent.mkdir(parents=True)
        file.write_bytes(bad_contents(moments))
        before = file.read_bytes()
        words = [word.format(file=file, folder=near, records=near) for word in BAD_FILES[name]]
        job = Job(name, tuple(words), pixels)
        say = folder / f"said-{number}"
        needs_out = not {"report", "card", "agreement"} & set(words)
        code = run(job, folder / "out" if needs_out else None, say=say)
        text = say.read_text(encoding="utf-8", errors="replace")
        is_fine_prompt = name in ("prompts", "suite") and code == 0
        if "Traceback" in text or (code not in (1, 2) and not is_fine_prompt):
            faults.append(f"{name}, {before[:20]!r}: exit code {code}, {text.strip().splitlines()[-1:]}")
        if not file.is_file() or file.read_bytes() != before:
            faults.append(f"{name}: the file was changed")
    return Found("bad files", files, tuple(faults))
