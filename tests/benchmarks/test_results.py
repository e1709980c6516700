import numpy as np
import pytest
from results import _chosen, failure_ratio  # pyright: ignore[reportPrivateUsage]

import heedful
from heedful.attention import find_denoiser


def test_failures_are_compared_as_a_ratio() -> None:
    rng = np.random.default_rng(4)
    plain = rng.random((60, 8)) < 0.6
    better = plain | (rng.random((60, 8)) < 0.5)
    ratio = failure_ratio(plain, better)
    assert ratio.value == pytest.approx((~better).sum() / (~plain).sum())
    assert ratio.low < ratio.value < ratio.high < 1
    assert failure_ratio(plain, plain).value == 1


def test_tuned_methods_read_the_rows_of_the_text_where_that_is_asked() -> None:
    joint = find_denoiser(heedful.world.load("joint"))
    ((name, method, settings),) = _chosen("ebama", "ebama=4@0.5", True, joint)
    assert (name, method.name) == ("ebama", "ebama")
    assert settings is not None and (settings.sites.rows, settings.step_size) == ("text", 4)
