"""Records of judged images, one per line in a JSONL file, made batch by batch and never twice.

A file is written after each batch, so a killed run goes on where it was. Its first line says how the records were made.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from heedful.errors import SettingsError
from heedful.files import write_atomic
from heedful.world import Verdict

R = TypeVar("R")

Case = tuple[str, int]
"""Prompt and seed of an image."""

FAULTS = ("neglect", "leakage", "hybrid", "duplicate", "extra")


@dataclass(frozen=True)
class JudgedImage:
    """What every record of an image begins with: its prompt, its seed and its verdict."""

    prompt: str
    seed: int
    success: bool
    neglect: bool
    leakage: bool
    hybrid: bool
    duplicate: bool
    extra: bool


def verdict_fields(verdict: Verdict) -> dict[str, bool]:
    """Return the fields of a verdict as a `JudgedImage` has them."""
    return {name: getattr(verdict, name) for name in ("success", *FAULTS)}


def kept_records(
    path: Path,
    how: dict[str, Any],
    cases: Sequence[Case],
    batch: int,
    kind: Callable[..., R],
    make: Callable[[Sequence[Case]], list[R]],
    *,
    same: str,
    on_images: Callable[[int, int], None],
) -> list[R]:
    """Return the records of all cases: those that are in `path`, and the others, which `make` makes batch by batch.

    - `how`: what the first line of the file says; another line raises `SettingsError`.
    - `kind`: makes a record from the fields of a line.
    - `same`: what has to be the same as in the file, for the message.
    - `on_images`: called after each batch with the number of images that are done, and of all.
    """
    head = json.dumps(how, sort_keys=True)
    records = _read(path, head, kind, same)
    # batches are cut from the whole list, so a resumed run makes the very batches that a whole one makes
    for start in range(0, len(cases), batch):
        part = cases[start : start + batch]
        if len(records) < start + len(part):
            records = records[:start] + make(part)
            lines = [head, *(json.dumps(asdict(record)) for record in records)]  # pyright: ignore[reportArgumentType]
            write_atomic(path, "\n".join(lines) + "\n")
        on_images(start + len(part), len(cases))
    return records


def _read(path: Path, head: str, kind: Callable[..., R], same: str) -> list[R]:
    if not path.exists():
        return []
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    if first != head:
        raise SettingsError(
            f"Expected records of {same} in {path}, got others. Choose another folder, or delete the file."
        )
    return [kind(**json.loads(line)) for line in lines]
