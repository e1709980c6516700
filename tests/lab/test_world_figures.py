import pytest

from heedful import world
from heedful.lab import world_figures as figures
from heedful.world import sprites
from heedful.world.detector import Detection, Detector


def seen(left: float, top: float, right: float, bottom: float, name: str = "cat") -> Detection:
    return Detection(name, "natural", (left, top, right, bottom), 0.9)


class Blind(Detector):
    """Sees nothing at all."""

    def __init__(self) -> None:
        pass

    def __call__(self, images) -> list[list[Detection]]:
        return [[] for _ in images]


def test_a_detection_is_matched_to_the_box_it_covers_best_and_only_once() -> None:
    near, far = seen(1.0, 1.0, 11.0, 11.0), seen(40.0, 40.0, 50.0, 50.0)
    shifted = seen(4.0, 0.0, 14.0, 10.0)
    assert figures.match_by_location([(0, 0, 10, 10), (41, 41, 51, 51)], [far, shifted, near]) == [near, far]
    assert figures.match_by_location([(0, 0, 10, 10), (2, 2, 12, 12)], [near]) in ([near, None], [None, near])
    assert figures.match_by_location([(3, 3, 13, 13), (0, 0, 10, 10)], [near]) == [None, near]


def test_a_detection_elsewhere_matches_nothing() -> None:
    assert figures.match_by_location([(0, 0, 10, 10)], [seen(8.0, 8.0, 18.0, 18.0)]) == [None]
    assert figures.match_by_location([], [seen(8.0, 8.0, 18.0, 18.0)]) == []


@pytest.mark.usefixtures("drawn_sprites")
def test_a_detector_that_sees_nothing_gets_no_points() -> None:
    found = figures.detector_figures(Blind(), renders=6)
    assert found["objects"] == {"count": 12, "found": 0.0, "class": 0.0, "colour": 0.0, "invented": 0.0}
    assert found["exact"] == found["count"] == 0.0


@pytest.mark.skipif(not sprites.font_is_installed(), reason="the detector knows the sprites of the emoji font")
def test_the_committed_detector_names_nearly_every_object_of_held_out_renders() -> None:
    found = figures.detector_figures(world.load_detector(), renders=96)
    assert found["objects"]["count"] == 192
    assert min(found["objects"][what] for what in ("found", "class", "colour")) >= 0.97
    assert found["objects"]["invented"] <= 0.02


@pytest.mark.slow  # imports torch and diffusers again
def test_loading_is_timed_in_a_process_of_its_own() -> None:
    found = figures.loading_figures(runs=1)
    assert 0 < found["seconds"] < 60
    assert found["import_seconds"] > 0
