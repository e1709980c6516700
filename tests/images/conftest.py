"""A tiny real pipeline, and a request for a few images of it."""

from collections.abc import Callable
from typing import Any

import pytest

from heedful.guidance.methods import NONE
from heedful.images import Request, SamplingOptions, prompt_lines
from tests.bench.conftest import model  # noqa: F401 - a fixture

PROMPT = "a cat and a blue clock"


@pytest.fixture
def request_images() -> Callable[..., Request]:
    """`request_images(**changes)`: two images of one prompt without guidance in two steps, made together."""

    def make(**changes: Any) -> Request:
        sampling = {name: changes.pop(name) for name in ("steps", "batch_size", "width", "height") if name in changes}
        usual = {
            "prompts": prompt_lines(changes.pop("texts", [PROMPT])),
            "methods": [NONE],
            "seeds": [0, 1],
            "sampling": SamplingOptions(**({"steps": 2, "batch_size": 2} | sampling)),
        }
        return Request(**(usual | changes))

    return make
