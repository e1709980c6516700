"""What programs of their own and the tests that start them have in common."""

from heedful.bench import BenchWish
from heedful.bench.suites import find_suite
from heedful.guidance.methods import ATTEND_AND_EXCITE, NONE
from heedful.scores import WorldScore


def cluster_wish() -> BenchWish:
    """36 images of the embedded model in 18 batches."""
    return BenchWish(
        suite=find_suite("world-two-development").first(6),
        methods=[NONE, ATTEND_AND_EXCITE],
        seeds=range(3),
        scores=(WorldScore(),),
        steps=3,
        batch_size=2,
    )
