"""Does a picture hold what its prompt says? Compares detections with the prompt's words; sees no pixels itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from heedful.world.detector import MIXED, NATURAL, OTHER, Detection
from heedful.world.vocabulary import ANIMALS, CLASSES, COLOURS

SURE = 0.4


@dataclass(frozen=True)
class Expectation:
    """A concept that the prompt asks for; `colour=None`: any colour for an object, its own colours for an animal."""

    name: str
    colour: str | None


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a picture; several faults may hold at once, `success` only if none does.

    `neglect`: a concept is missing. `leakage`: a concept is there in a wrong colour. `hybrid`: a blob that is no clean
    object, or mixes colours, or leaves the detector unsure (confidence < 0.4). `duplicate`: a concept is there more
    than once. `extra`: an object that was not asked for.
    """

    neglect: bool
    leakage: bool
    hybrid: bool
    duplicate: bool
    extra: bool
    confidence: float

    @property
    def success(self) -> bool:
        """Every concept exactly once, in its colour, and nothing else."""
        return not (self.neglect or self.leakage or self.hybrid or self.duplicate or self.extra)


def expectations(prompt: str) -> tuple[Expectation, ...]:
    """The concepts of a world prompt: each class word with the colour word right before it."""
    words = prompt.lower().split()
    found = []
    for before, word in zip(["", *words], words, strict=False):
        if word in CLASSES:
            found.append(Expectation(word, before if before in COLOURS else None))
    return tuple(found)


def judge(prompt: str, detections: Sequence[Detection]) -> Verdict:
    """Compare what was detected in a picture with what its prompt asks for."""
    expected = expectations(prompt)
    clean = [d for d in detections if d.name != OTHER and d.colour != MIXED and d.confidence >= SURE]
    named: dict[str, list[Expectation]] = {}
    for expectation in expected:
        named.setdefault(expectation.name, []).append(expectation)
    present = {name: [d for d in detections if d.name == name] for name in named}
    return Verdict(
        neglect=any(len(present[name]) < len(wanted) for name, wanted in named.items()),
        leakage=any(not _colours_match(wanted, present[name]) for name, wanted in named.items()),
        hybrid=len(clean) < len(detections),
        duplicate=any(len(present[name]) > len(wanted) for name, wanted in named.items()),
        extra=any(d.name not in named and d.name != OTHER for d in detections),
        confidence=min((d.confidence for d in clean if d.name in named), default=0.0),
    )


def _colours_match(wanted: Sequence[Expectation], present: Sequence[Detection]) -> bool:
    """Whether each object there is in a wanted colour; a `mixed` one is no leak but a hybrid."""
    if wanted[0].name in ANIMALS:
        return all(d.colour in (NATURAL, MIXED) for d in present)
    allowed = {w.colour for w in wanted}
    return None in allowed or all(d.colour in allowed or d.colour == MIXED for d in present)
