"""Scores images that lie in a benchmark's folder already.

An image that cannot be read, or a score that raises, leaves the case
without that score, and the next call tries again.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from heedful.bench import records
from heedful.bench.folder import SUITE, BenchFolder
from heedful.bench.provenance import provenance, run_name
from heedful.errors import HeedfulError, SettingsError
from heedful.files import append_lines
from heedful.identity import identity
from heedful.image_files import read_image
from heedful.images import rounded
from heedful.prompts import Prompt, Tokenizer
from heedful.scores import Score, evaluate


@dataclass(frozen=True)
class Added:
    """What scoring came to."""

    images: int
    """Images that were scored now."""
    there: int
    """Images that had these scores."""
    failures: tuple[tuple[str, str], ...]
    """Image and reason, for those that could not be scored."""


def add_scores(
    folder: BenchFolder,
    scores: Sequence[Score],
    tokenizer: Tokenizer,
    *,
    batch_size: int = 32,
    on_images: Callable[[int, int], None] = lambda done, total: None,
) -> Added:
    """Score every image of `folder` that is done and lacks a figure of `scores`, and add the figures to the records.

    `tokenizer` is that of the model that made the images. `on_images` is called with the number of images that are
    done, and of all. The caller holds the folder's lock. Raises `SettingsError` for a score that needs maps, which
    only a run has.
    """
    for score in scores:
        if score.needs_maps:
            raise SettingsError(
                f"Expected scores of images, got {score.name!r}, which needs the maps that only a run has. "
                "Make the images again with it, in another folder."
            )
    folder.check_there()
    runs = folder.runs()
    columns = {column for score in scores for column in score.columns}
    done = [row for row in records.read_records(folder.folder) if row["status"] == "done" and row["image"]]
    left = [row for row in done if not columns <= set(row["scores"])]
    prompts = {prompt.text: prompt for prompt in folder.prompts(tokenizer)}
    lacking = next((row["prompt"] for row in left if row["prompt"] not in prompts), None)
    if lacking is not None:
        raise SettingsError(
            f"Expected the prompts of all images in {folder.folder / SUITE}, which says what their concepts are, but "
            f"{lacking!r} is not there. The command that made the images writes it again."
        )
    if left:
        run = runs[-1] | {"run": run_name(), "methods": {}, "scores": {score.name: identity(score) for score in scores}}
        folder.write_run(run | provenance("cpu"), folder.suite().lines)
    failures: list[tuple[str, str]] = []
    seen = 0
    for start in range(0, len(left), batch_size):
        rows = left[start : start + batch_size]
        values = _score(folder, rows, prompts, scores, failures)
        lines = [json.dumps({"key": key, "scores": figures}) for key, figures in values.items()]
        if lines:
            append_lines(folder.inside(f"{records.FOLDER}/scores-0.jsonl"), lines)
        seen += len(rows)
        on_images(seen, len(left))
    return Added(len(left) - len(failures), len(done) - len(left), tuple(failures))


def _score(
    folder: BenchFolder,
    rows: Sequence[dict[str, Any]],
    prompts: dict[str, Prompt],
    scores: Sequence[Score],
    failures: list[tuple[str, str]],
) -> dict[str, dict[str, float | None]]:
    """Return the figures of each image by its key, and add to `failures` what could not be scored."""
    images: dict[str, Image.Image] = {}
    for row in rows:
        try:
            images[row["key"]] = read_image(folder.inside(row["image"]))
        except (HeedfulError, OSError) as reason:
            failures.append((row["image"], f"{reason}"))
    readable = [row for row in rows if row["key"] in images]
    try:
        return _evaluate(readable, images, prompts, scores)
    except Exception as error:
        if len(readable) == 1:
            failures.append((readable[0]["image"], f"{type(error).__name__}: {error}"))
            return {}
    found: dict[str, dict[str, float | None]] = {}
    for row in readable:
        try:
            found |= _evaluate([row], images, prompts, scores)
        except Exception as error:
            failures.append((row["image"], f"{type(error).__name__}: {error}"))
    return found


def _evaluate(
    rows: Sequence[dict[str, Any]],
    images: dict[str, Image.Image],
    prompts: dict[str, Prompt],
    scores: Sequence[Score],
) -> dict[str, dict[str, float | None]]:
    values = evaluate([images[row["key"]] for row in rows], [prompts[row["prompt"]] for row in rows], scores)
    return {
        row["key"]: {name: rounded(column[item]) for name, column in values.items()} for item, row in enumerate(rows)
    }
