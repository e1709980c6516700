"""Records of images, one a line in a JSONL file, made batch by batch and never twice.

Written as each batch is done, so a killed run goes on where it was. The first line says how they were made. Knows
nothing of images, or of what a record holds.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from heedful.errors import SettingsError
from heedful.files import write_atomic

R = TypeVar("R")

Case = tuple[str, int]
"""Prompt and seed of an image."""


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

    `kind` is the dataclass of a record. A file whose first line is not `how` raises `SettingsError`, which names what
    has to be the `same`.
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
