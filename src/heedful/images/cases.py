"""One image to be made, those that are made together, what came of each, and who makes them.

All of it can cross to another machine.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from heedful.guidance import Method
from heedful.prompts import Prompt


@dataclass(frozen=True, kw_only=True)
class Case:
    """One prompt with one seed by one method."""

    key: str
    """Hash of all that decides the image: the same on every machine and in every run."""
    method: Method
    prompt: Prompt
    kind: str
    seed: int
    image: str
    """Where the image lies below the folder: METHOD/PROMPT/SEED.png."""

    def settings(self, shared: Mapping[str, Any]) -> dict[str, Any]:
        """Return everything that decides the image, where `shared` decides all those of its method."""
        weighted = {"weighted_prompt": self.prompt.weighted} if self.prompt.weighted else {}
        return dict(shared) | {"prompt": self.prompt.text, "seed": self.seed, "concepts": self.concepts} | weighted

    @property
    def concepts(self) -> list[str]:
        """The names of the prompt's concepts."""
        return [concept.name for concept in self.prompt.concepts]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Cases of one method that are made together."""

    number: int
    """Its position in the whole plan."""
    settings: Mapping[str, Any]
    """What decides the images of the method next to prompt, concepts and seed."""
    cases: tuple[Case, ...]

    @property
    def method(self) -> Method:
        """The method of all its cases."""
        return self.cases[0].method


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
    seconds: float | None = 0.0
    """Its share of the time of its batch; None if an earlier run made it."""

    def record(self, case: Case) -> dict[str, Any]:
        """Return what is recorded of the case, as plain JSON values."""
        return {
            "key": case.key,
            "prompt": case.prompt.text,
            "kind": case.kind,
            "concepts": case.concepts,
            "method": case.method.name,
            "seed": case.seed,
            "image": case.image if self.png is not None else None,
            "status": "done" if self.error is None else "failed",
            "error": self.error,
            "scores": dict(self.scores),
            "trace": dict(self.trace),
            "cost": self.cost,
            "seconds": None if self.seconds is None else round(self.seconds, 4),
        }


Make = Callable[[Batch], list[Result]]
"""Makes the images of a batch: one result per case, in order. What a case raises is in its result."""
Load = Callable[[], Make]
"""Loads what makes the images, once for each device, on the machine of that device."""
Engine = Callable[[Load, Iterable[Batch]], Iterator[tuple[Batch, list[Result]]]]
"""Lets batches be made, and yields each once, in any order, when it is made."""


def run_serially(load: Load, batches: Iterable[Batch]) -> Iterator[tuple[Batch, list[Result]]]:
    """Make the batches in their order in this process, and yield each when it is made."""
    make = load()
    for batch in batches:
        yield batch, make(batch)


class KeyMaker:
    """Makes the keys of one method's cases: `keys(prompt, seed)`."""

    def __init__(self, settings: Mapping[str, Any]):
        self._start = sha256(json.dumps(dict(settings), sort_keys=True).encode())

    def __call__(self, prompt: Prompt, seed: int) -> str:
        """Return 20 hexadecimal digits: of ten million keys, two are the same with a probability of 1 in 10^10."""
        digest = self._start.copy()
        weighted = [prompt.weighted] if prompt.weighted else []
        said = [prompt.text, [concept.name for concept in prompt.concepts], seed, *weighted]
        digest.update(json.dumps(said).encode())
        return digest.hexdigest()[:20]
