"""What is added up to the memory of a lesson."""

import pytest
from counting import GIB
from teaching_memory import WAYS, total

FOUND = {
    "learns": 10.0,
    "denoiser": 2.0 * GIB,
    "denoiser_linear": 1.0 * GIB,
    "largest": 0.1 * GIB,
    "encoders": 1.0 * GIB,
    "encoders_linear": 1.0 * GIB,
    "vae": 0.5 * GIB,
    "optimizer_gib": 0.25,
    "passes_gib": 3.0,
}


@pytest.mark.parametrize(
    ("way", "gib"),
    [
        (WAYS[0], 2 * (2 + 1 + 0.5) + 0.25 + 3),
        (WAYS[1], 2 * (1 + 1 + 0.5) + 8.1 / 8 + 0.2 + 0.25 + 3),
        (WAYS[2], 2 * (1 + 0.5) + 2 * 8.1 / 8 + 0.2 + 0.25 + 3),
    ],
)
def test_weights_are_added_in_their_precision(way: str, gib: float) -> None:
    assert total(FOUND, way) == pytest.approx(gib)
