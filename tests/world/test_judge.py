import pytest

from heedful.world.detector import Detection
from heedful.world.judge import Expectation, expectations, judge

PROMPT = "a cat and a blue clock"


def seen(name: str, colour: str = "natural", confidence: float = 0.9) -> Detection:
    return Detection(name, colour, (0.0, 0.0, 20.0, 20.0), confidence)


CAT, CLOCK = seen("cat"), seen("clock", "blue")


def faults(*detections: Detection, prompt: str = PROMPT) -> set[str]:
    verdict = judge(prompt, detections)
    return {fault for fault in ("neglect", "leakage", "hybrid", "duplicate", "extra") if getattr(verdict, fault)}


def test_a_prompt_becomes_classes_and_colours() -> None:
    assert expectations("a cat with a crown on a blue background") == (
        Expectation("cat", None),
        Expectation("crown", None),
    )
    assert expectations(PROMPT)[1] == Expectation("clock", "blue")


def test_every_concept_once_in_its_colour_is_success() -> None:
    verdict = judge(PROMPT, [CAT, CLOCK])
    assert verdict.success
    assert verdict.confidence == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("detections", "expected"),
    [
        ((CAT,), {"neglect"}),
        ((), {"neglect"}),
        ((CAT, seen("clock", "red")), {"leakage"}),
        ((seen("cat", "blue"), CLOCK), {"leakage"}),
        ((CAT, CLOCK, CAT), {"duplicate"}),
        ((CAT, CLOCK, seen("dog")), {"extra"}),
        ((CAT, CLOCK, seen("other", "mixed")), {"hybrid"}),
        ((CAT, seen("clock", "mixed")), {"hybrid"}),
        ((CAT, seen("clock", "blue", confidence=0.3)), {"hybrid"}),
    ],
)
def test_each_fault_is_named(detections: tuple[Detection, ...], expected: set[str]) -> None:
    assert faults(*detections) == expected
    assert not judge(PROMPT, detections).success


def test_any_colour_is_right_where_none_was_asked_for() -> None:
    assert faults(CAT, seen("crown", "pink"), prompt="a cat with a crown") == set()
