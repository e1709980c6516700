import numpy as np
import pytest

from heedful.world import load_detector
from heedful.world.detector import Detection
from heedful.world.judge import Expectation, expectations, judge
from heedful.world.render import layer
from heedful.world.scene import Item

PROMPT = "a cat and a blue clock"


def seen(name: str, colour: str = "natural", confidence: float = 0.9, holds: tuple[str, ...] = ()) -> Detection:
    return Detection(name, colour, (0.0, 0.0, 20.0, 20.0), confidence, holds)


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
        ((seen("cat", "mixed", holds=("blue", "yellow")), CLOCK), {"leakage"}),
        ((CAT, seen("clock", "mixed", holds=("orange", "blue"))), {"leakage"}),
        ((CAT, seen("clock", "mixed", holds=("purple", "blue"))), {"hybrid"}),
        ((seen("cat", "mixed", holds=("yellow", "red")), CLOCK), {"hybrid"}),
        ((CAT, seen("clock", "blue", confidence=0.3, holds=("blue", "yellow"))), {"hybrid", "leakage"}),
        ((CAT, seen("other", "mixed", holds=("blue", "yellow")), CLOCK), {"hybrid"}),
    ],
)
def test_each_fault_is_named(detections: tuple[Detection, ...], expected: set[str]) -> None:
    assert faults(*detections) == expected
    assert not judge(PROMPT, detections).success


def test_any_colour_is_right_where_none_was_asked_for() -> None:
    assert faults(CAT, seen("crown", "pink"), prompt="a cat with a crown") == set()


def test_a_swap_of_two_colours_is_leakage() -> None:
    prompt = "a red car and a blue clock"
    assert faults(seen("car", "blue"), seen("clock", "red"), prompt=prompt) == {"leakage"}
    assert faults(seen("car", "mixed", holds=("red", "blue")), CLOCK, prompt=prompt) == {"leakage"}


def test_a_colour_that_both_concepts_have_cannot_leak() -> None:
    mixed = seen("cat", "mixed", holds=("yellow", "orange"))
    assert faults(mixed, seen("clock", "yellow"), prompt="a cat and a yellow clock") == {"hybrid"}


@pytest.mark.parametrize("colour", ["blue", "mixed", "red"])
@pytest.mark.parametrize("confidence", [0.3, 0.9])
def test_what_the_pixels_hold_decides_which_fault_and_never_success(colour: str, confidence: float) -> None:
    bare = judge(PROMPT, [CAT, seen("clock", colour, confidence)])
    for holds in [("blue",), ("yellow", "blue"), ("red",)]:
        assert judge(PROMPT, [CAT, seen("clock", colour, confidence, holds)]).success == bare.success


def test_a_bowl_half_in_the_colour_of_the_bench_leaks() -> None:
    """Both are drawn without the emoji font."""
    canvas = np.full((64, 64, 3), (206, 206, 208), dtype=np.float32)
    for name, colour, half, y in (("bowl", "red", "blue", 17), ("bench", "blue", "blue", 48)):
        (alpha, one), (_, two) = layer(Item(name, colour, 32, y, 30), 64), layer(Item(name, half, 32, y, 30), 64)
        canvas += alpha * (np.where(np.arange(64)[None, :, None] < 32, one, two) - canvas)
    (detections,) = load_detector()(canvas.round().astype(np.uint8)[None])
    assert {(d.name, d.colour) for d in detections} == {("bowl", "mixed"), ("bench", "blue")}
    verdict = judge("a red bowl and a blue bench", detections)
    assert verdict.leakage
    assert not verdict.success
