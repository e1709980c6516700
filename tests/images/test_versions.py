"""What images are made with."""

from pathlib import Path

import heedful
from heedful.images.versions import _MAKERS  # pyright: ignore[reportPrivateUsage]

OTHERS = {"app", "bench", "cli", "lab", "report", "scores", "teaching", "world"}
"""Rooms whose code makes no image look otherwise: the embedded models' weights have a fingerprint."""


def test_every_room_either_makes_images_or_does_not() -> None:
    rooms = {path.parent.name for path in Path(heedful.__file__).parent.glob("*/__init__.py")}
    assert rooms - OTHERS == set(_MAKERS)
