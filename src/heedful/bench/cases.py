"""One image to be made, those that are made together, and what came of each.

Knows what goes from the runner to whoever makes the images, and what comes back; all of it can cross to another
machine. Knows no files.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from heedful.guidance import Method
from heedful.prompts import Prompt


@dataclass(frozen=True, kw_only=True)
class Case:
    """One prompt with one seed, by the method and the settings of its batch."""

    key: str
    """Hash of all that decides the image: the same on every machine and in every run."""
    prompt: Prompt
    kind: str
    seed: int
    image: str
    """Where the image lies below the folder: METHOD/PROMPT/SEED.png."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Cases of one method that are made together."""

    number: int
    """Its place in the whole plan."""
    method: Method
    settings: Mapping[str, Any]
    """What decides the images of the method beside prompt, concepts and seed."""
    cases: tuple[Case, ...]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one case."""

    png: bytes | None
    """The image as a file; None if there is none."""
    error: str | None = None
    """Why the case failed; None if it is done."""
    scores: Mapping[str, float | None] = field(default_factory=dict)
    trace: Mapping[str, Any] = field(default_factory=dict)
    cost: float | None = None
    """Operations of the denoiser relative to plain sampling, of the batch that the image was made in."""
    seconds: float = 0.0
    """Its share of the time of its batch."""


Make = Callable[[Batch], list[Result]]
"""Makes the images of a batch: one result per case, in order. What a case raises is in its result."""
Load = Callable[[], Make]
"""Loads what makes the images, once for each device, on the machine of that device."""
Engine = Callable[[Load, Iterable[Batch]], Iterator[tuple[Batch, list[Result]]]]
"""Lets batches be made, and yields each once, in any order, when it is made."""


class KeyMaker:
    """Makes the keys of one method's cases: `keys(prompt, seed)`."""

    def __init__(self, settings: Mapping[str, Any]):
        self._start = sha256(json.dumps(dict(settings), sort_keys=True).encode())

    def __call__(self, prompt: Prompt, seed: int) -> str:
        """Return 20 hexadecimal digits: of ten million keys, two are the same with a probability of 1 in 10^10."""
        digest = self._start.copy()
        digest.update(json.dumps([prompt.text, [concept.name for concept in prompt.concepts], seed]).encode())
        return digest.hexdigest()[:20]


def rounded(value: float | None) -> float | None:
    """Return a figure as records keep it: to six places, None if it is not finite."""
    return None if value is None or not math.isfinite(value) else round(float(value), 6)
