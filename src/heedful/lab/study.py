"""The plain images that `overlap` and `retention` both look at: painted once, read twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from heedful.guidance import NONE
from heedful.lab import overlap, retention
from heedful.lab.trial import Trial
from heedful.lab.watch import Seen, Watched, watch
from heedful.world import Detector

RECORDS = "plain.jsonl"


def describe(seen: Seen) -> dict[str, Any]:
    """What both studies keep of an image."""
    return overlap.read(seen) | retention.read(seen)


def watch_plain(
    pipe: Any,
    detector: Detector,
    trial: Trial,
    folder: Path,
    *,
    weights: str,
    on_images: Callable[[int, int], None] = lambda done, total: None,
) -> list[Watched]:
    """Paint a trial without guidance; records go to `folder/plain.jsonl`, and are resumed. See `watch`."""
    return watch(pipe, detector, trial, NONE, describe, folder / RECORDS, weights=weights, on_images=on_images)
