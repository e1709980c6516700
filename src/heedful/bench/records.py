"""The records of a benchmark: JSONL files that are only ever added to.

    OUT/records/cases-N.jsonl     one record per line; N is the process that wrote it
    OUT/records/scores-N.jsonl    scores made later: {"key": ..., "scores": {...}}

The format is JSONL, because a line can be added to it and survives a kill; a Parquet file has its index at its end and
cannot do that. datasets, DuckDB and pandas read both.

The cases of a batch are written together, and `batch` = [position, size]: [3, 8] is line 3 of the 8 written together.
Where lines of the last batch of a file are missing, a kill cut it: readers skip it, and the next run cuts it off.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any

from heedful.errors import SettingsError

FOLDER = "records"
_STATUS = ("done", "failed")
_NUMBER = (int, float, NoneType)
_TYPES = {
    "suite": str, "prompt": str, "kind": str, "method": str, "seed": int, "image": (str, NoneType), "trace": dict,
    "cost": _NUMBER, "seconds": _NUMBER, "concepts": list, "batch": list,
}  # fmt: skip
_TAIL = 1 << 20  # bytes of the end of a file that are looked at first


def shard(folder: Path, process: int = 0, *, of: str = "cases") -> Path:
    """Return the file of records, or of later `scores`, that a process adds to."""
    return folder / FOLDER / f"{of}-{process}.jsonl"


def shards(folder: Path, *, of: str = "cases") -> list[Path]:
    """Return all files of records, or of later `scores`, in a fixed order."""
    return sorted((folder / FOLDER).glob(f"{of}-*.jsonl"), key=lambda path: (len(path.name), path.name))


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the whole lines of one file; raises `SettingsError` for a line that is no record."""
    group: list[dict[str, Any]] = []
    with path.open("rb") as stream:
        for number, text in enumerate(stream, 1):
            if not text.endswith(b"\n"):
                return
            row = _read(path, number, text)
            position, size = _position(row)
            group.append(row)
            if position == size:
                yield from group
                group = []


def trim(path: Path) -> None:
    """Cut off what a kill has left at the end of a file: half a line, or a part of a batch."""
    end = path.stat().st_size
    tail = _TAIL
    while True:
        start = max(0, end - tail)
        with path.open("rb") as stream:
            stream.seek(start)
            data = stream.read(end - start)
        whole = _whole(data, is_start=start == 0)
        if whole is not None or start == 0:
            break
        tail *= 8
    keep = start + (whole or 0)
    if keep < end:
        os.truncate(path, keep)


def read_cases(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield every record as it was written, one after the other, also several of a case that failed before.

    Raises `SettingsError` for a line that is no record.
    """
    for path in shards(folder):
        for row in lines(path):
            if row.get("status") not in _STATUS:
                raise SettingsError(
                    f"Expected a record that is done or failed under the key {row['key']} in {path}, "
                    f"got {row.get('status')!r}. Remove that line, and its image is made again."
                )
            yield row


def read_records(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield one record for each case, with the scores that were made later; those that failed come last.

    A record that is done beats one that failed, and of those that failed the last one counts. Only failures and later
    scores are kept in memory. Raises `SettingsError` for a line that is no record, and for an image that does not lie
    in `folder`.
    """
    failed = {row["key"]: row for row in read_cases(folder) if row["status"] == "failed"}
    later: dict[str, dict[str, float | None]] = {}
    for path in shards(folder, of="scores"):
        for row in lines(path):
            later.setdefault(row["key"], {}).update(row["scores"])
    for row in read_cases(folder):
        if row["status"] == "done":
            failed.pop(row["key"], None)
            yield _merged(row, later)
    for row in failed.values():
        yield _merged(row, later)


def _read(path: Path, number: int, text: bytes) -> dict[str, Any]:
    try:
        row = json.loads(text)
        _check(row)
    except (ValueError, KeyError, TypeError, RecursionError) as reason:
        raise SettingsError(
            f"Expected a record in line {number} of {path}, but it is none ({reason}). "
            "Something else has written there; remove the line, and its image is made again."
        ) from reason
    return row


def _check(row: Any) -> None:
    """Raise `KeyError` or `TypeError` for what is no record, or for a field of another type."""
    if not isinstance(row, dict):
        raise TypeError(f"a {type(row).__name__}")
    if not isinstance(row["key"], str) or not isinstance(row["scores"], dict):
        raise TypeError("key or scores of another type")
    if not all(isinstance(value, _NUMBER) for value in row["scores"].values()):
        raise TypeError("scores that are no numbers")
    wrong = [name for name, kinds in _TYPES.items() if name in row and not isinstance(row[name], kinds)]
    if wrong:
        raise TypeError(f"{', '.join(wrong)} of another type")
    if not [type(number) for number in row.get("batch", (1, 1))] == [int, int]:
        raise TypeError("batch of another type")


def _position(row: dict[str, Any]) -> tuple[int, int]:
    """Return position and size of the batch that a line was written in; scores made later stand alone."""
    position, size = row.get("batch", (1, 1))
    return position, size


def _whole(data: bytes, *, is_start: bool) -> int | None:
    """Return how many bytes of `data` are whole lines and batches, or None if that cannot be seen in it."""
    end = data.rfind(b"\n") + 1
    while end > 0:
        start = data.rfind(b"\n", 0, end - 1) + 1
        if start == 0 and not is_start:
            return None  # perhaps half a line
        try:
            position, size = _position(json.loads(data[start:end]))
        except (ValueError, TypeError, AttributeError, RecursionError):
            return end  # no record of ours: readers say so
        if position == size:
            return end
        end = start
    return 0 if is_start else None


def _merged(row: dict[str, Any], later: dict[str, dict[str, float | None]]) -> dict[str, Any]:
    """Return a record with its later scores; refuse a path out of the folder, for records may be somebody else's."""
    image = row.get("image")
    if image is not None and not _is_inside(image):
        raise SettingsError(f"Expected an image inside the folder, got {image!r} in the record {row['key']}.")
    return row | {"scores": row["scores"] | later.get(row["key"], {})}


def _is_inside(image: Any) -> bool:
    return isinstance(image, str) and not Path(image).is_absolute() and ".." not in Path(image).parts
