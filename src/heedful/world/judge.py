"""Does an image hold what its prompt says? Compares detections with the prompt's words; sees no pixels itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from heedful.world.detector import MIXED, NATURAL, OTHER, Detection
from heedful.world.tones import NATURAL_COLOURS
from heedful.world.vocabulary import ANIMALS, CLASSES, COLOURS, OBJECTS

SURE = 0.4


@dataclass(frozen=True)
class Expectation:
    """A concept that the prompt asks for; `colour=None`: any colour for an object, its own colours for an animal."""

    name: str
    colour: str | None


@dataclass(frozen=True)
class Verdict:
    """What is wrong with an image; several faults may hold at once, `success` only if none does.

    `neglect`: a concept is missing. `leakage`: a concept is there in a wrong colour, or it is `mixed` or unsure and its
    pixels hold a colour of another concept (the colour that the prompt gives it, or an animal's natural ones) that is
    none of its own. `hybrid`: a blob that is no clean object, or leaves the detector unsure (confidence < 0.4), or is
    `mixed` of colours that no other concept explains. `duplicate`: a concept is there more than once. `extra`: an
    object that was not asked for.
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
    """Compare what was detected in an image with what its prompt asks for."""
    expected = expectations(prompt)
    clean = [d for d in detections if not _is_blurred(d) and d.colour != MIXED]
    named: dict[str, list[Expectation]] = {}
    for expectation in expected:
        named.setdefault(expectation.name, []).append(expectation)
    present = {name: [d for d in detections if d.name == name] for name in named}
    leaking = [d for d in detections if d.name in named and _leaks(d, named)]
    return Verdict(
        neglect=any(len(present[name]) < len(wanted) for name, wanted in named.items()),
        leakage=len(leaking) > 0,
        hybrid=any(_is_blurred(d) or (d.colour == MIXED and d not in leaking) for d in detections),
        duplicate=any(len(present[name]) > len(wanted) for name, wanted in named.items()),
        extra=any(d.name not in named and d.name != OTHER for d in detections),
        confidence=min((d.confidence for d in clean if d.name in named), default=0.0),
    )


def _is_blurred(detection: Detection) -> bool:
    return detection.name == OTHER or detection.confidence < SURE


def _leaks(detection: Detection, named: Mapping[str, Sequence[Expectation]]) -> bool:
    """Whether an object is in a wrong colour, or its pixels hold one that belongs to another concept."""
    wanted = named[detection.name]
    if detection.name in OBJECTS and any(concept.colour is None for concept in wanted):
        return False
    own = {colour for concept in wanted for colour in _colours_of(concept)}
    right = {NATURAL} if detection.name in ANIMALS else own
    if detection.colour not in right | {MIXED}:
        return True
    if detection.colour != MIXED and detection.confidence >= SURE:
        return False
    others = (concept for name, concepts in named.items() if name != detection.name for concept in concepts)
    foreign = {colour for concept in others for colour in _colours_of(concept)} - own
    return not foreign.isdisjoint(detection.holds)


def _colours_of(concept: Expectation) -> tuple[str, ...]:
    """The colours that belong to a concept: none for an object without one in the prompt."""
    if concept.name in ANIMALS:
        return NATURAL_COLOURS[concept.name]
    return () if concept.colour is None else (concept.colour,)
