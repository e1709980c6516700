"""The first embedded model and its detector, loaded once for all tests of this room."""

from typing import Any

import pytest

from heedful import world


@pytest.fixture(scope="session")
def pipe() -> Any:
    loaded = world.load()
    loaded.set_progress_bar_config(disable=True)
    return loaded


@pytest.fixture(scope="session")
def detector() -> world.Detector:
    return world.load_detector()
