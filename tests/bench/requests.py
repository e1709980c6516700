"""What programs of their own and the tests that start them have in common."""

from heedful.bench import find_suite
from heedful.guidance.methods import A_STAR, NONE
from heedful.images import Request, SamplingOptions
from heedful.scores import WorldScore


def cluster_request() -> Request:
    """36 images of the embedded model in 18 batches."""
    suite = find_suite("world-two-development").first(6)
    return Request(
        suite=suite.name,
        prompts=suite.lines,
        methods=[NONE, A_STAR],
        seeds=range(3),
        scores=(WorldScore(),),
        same_noise=False,
        seeds_first=True,
        sampling=SamplingOptions(steps=3, batch_size=2),
    )
