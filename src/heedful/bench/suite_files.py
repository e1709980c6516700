"""Prompts in files: plain text, JSONL, and the formats of GenEval and T2I-CompBench.

Errors say which line of which file is wrong. Whether a concept stands in its prompt is found out when the prompt is
parsed.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from heedful.errors import SettingsError
from heedful.images import PromptLine

_FIELDS = ("prompt", "concepts", "kind")


def to_json(line: PromptLine) -> str:
    """Return a line as `read_prompts` reads it."""
    concepts = None if line.concepts is None else list(line.concepts)
    row = {"prompt": line.prompt, "concepts": concepts, "kind": line.kind}
    return json.dumps({key: value for key, value in row.items() if value not in (None, "")}, ensure_ascii=False)


def read_prompts(file: Path) -> tuple[PromptLine, ...]:
    """Return the prompts of a text file (one per line) or of a JSONL file, each once.

    A line of JSONL is `{"prompt": ..., "concepts": [...], "kind": ...}`; only the prompt is needed. Raises
    `SettingsError` that names the line.
    """
    if file.suffix.lower() not in (".jsonl", ".txt"):
        raise SettingsError(
            f"Expected a file of prompts that ends in .txt (one per line) or .jsonl, got {file.name!r}. Rename it."
        )
    if file.suffix.lower() == ".txt":
        return _once(file, (PromptLine(text, kind=file.stem) for text in _lines(file)))
    return _once(file, (_line(file, number, row) for number, row in _rows(file)))


def read_geneval(file: Path) -> tuple[PromptLine, ...]:
    """Return the prompts of GenEval's evaluation_metadata.jsonl, or of the folder that holds it, by its tags.

    The classes that it wants, with their colours, are the concepts; a prompt that says them in other words (plurals,
    in the counting prompts) has the concepts that it names. Raises `SettingsError`.
    """
    path = file / "evaluation_metadata.jsonl" if file.is_dir() else file
    return _once(path, (_geneval_line(path, number, row) for number, row in _rows(path)))


def read_t2i_compbench(path: Path) -> tuple[PromptLine, ...]:
    """Return the prompts of T2I-CompBench: of one of its text files, or of all `*_val.txt` of its folder.

    The kind is the name of the file without `_val`. Raises `SettingsError`.
    """
    files = sorted(path.glob("*_val.txt")) if path.is_dir() else [path]
    if not files:
        raise SettingsError(
            f"Expected files such as color_val.txt in {path}, found none. "
            "Pass the folder examples/dataset of your copy, or one of its files."
        )
    return _once(
        path,
        (PromptLine(text, kind=file.stem.removesuffix("_val")) for file in files for text in _lines(file)),
    )


def _once(path: Path, lines: Iterable[PromptLine]) -> tuple[PromptLine, ...]:
    """Return `lines` without those whose prompt has come before; raises `SettingsError` if there are none."""
    found: dict[str, PromptLine] = {}
    for line in lines:
        found.setdefault(line.prompt, line)
    if not found:
        raise SettingsError(f"Expected at least one prompt in {path}, found none.")
    return tuple(found.values())


def _lines(file: Path) -> Sequence[str]:
    """Return the lines of a text file without blanks around them; empty ones are skipped."""
    return [line for _, line in _numbered(file)]


def _numbered(file: Path) -> list[tuple[int, str]]:
    """Return the lines of a text file that are not empty, with their numbers from 1."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as reason:
        why = reason.strerror.lower() if isinstance(reason, OSError) and reason.strerror else "it is no UTF-8 text"
        raise SettingsError(f"Expected a file of prompts at {file}, but it cannot be read ({why}).") from reason
    # not splitlines(), which also cuts at characters that JSON may hold inside a text
    return [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def _rows(file: Path) -> list[tuple[int, dict[str, Any]]]:
    """Return the objects of a JSONL file with the numbers of their lines."""
    rows = []
    for number, text in _numbered(file):
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as reason:
            raise _wrong(file, number, f"it is no JSON ({reason})") from reason
        if not isinstance(row, dict) or not isinstance(row.get("prompt"), str) or not row["prompt"].strip():
            raise _wrong(file, number, 'it has no text "prompt"')
        rows.append((number, row))
    return rows


def _line(file: Path, number: int, row: dict[str, Any]) -> PromptLine:
    unknown = sorted(set(row) - set(_FIELDS))
    if unknown:
        raise _wrong(file, number, f"it has the unknown field {unknown[0]!r}; known are {', '.join(_FIELDS)}")
    concepts, kind = row.get("concepts"), row.get("kind", "")
    is_list = isinstance(concepts, list) and all(isinstance(name, str) and name.strip() for name in concepts)
    if concepts is not None and not is_list:
        raise _wrong(file, number, f'"concepts" is {concepts!r}, not a list of texts')
    if not isinstance(kind, str):
        raise _wrong(file, number, f'"kind" is {kind!r}, not a text')
    return PromptLine(row["prompt"].strip(), kind=kind, concepts=None if concepts is None else tuple(concepts))


def _geneval_line(file: Path, number: int, row: dict[str, Any]) -> PromptLine:
    wanted = row.get("include")
    if not isinstance(wanted, list) or not all(isinstance(each, dict) and "class" in each for each in wanted):
        raise _wrong(file, number, 'it has no list "include" of objects with a "class", as GenEval writes it')
    text = row["prompt"].strip()
    # a class of several words is one noun
    names = [
        " ".join([*([str(each["color"])] if each.get("color") else []), "+".join(str(each["class"]).split())])
        for each in wanted
    ]
    words = f" {text} "
    is_said = all(f" {name.replace('+', ' ')} " in words for name in names)
    return PromptLine(text, kind=str(row.get("tag", "")), concepts=tuple(names) if is_said and names else None)


def _wrong(file: Path, number: int, why: str) -> SettingsError:
    return SettingsError(f"Expected a prompt in line {number} of {file}, but {why}.")
