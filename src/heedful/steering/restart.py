"""When an image restarts with another noise: the rule, as settings."""

from dataclasses import dataclass

from heedful.errors import SettingsError
from heedful.losses import AnyLoss


@dataclass(frozen=True, kw_only=True)
class Restart:
    """An image whose loss is above `limit` when step `step` begins restarts with another noise.

    Its steps so far are made again, guided as before, for each of at most `tries` other noises, until the loss is no
    longer above the limit; the noise with the least loss goes on. The loss is read from the pass that predicted the
    noise of the step before, so looking costs nothing; each noise tried costs half of `step` steps of that image,
    because they are made with the condition alone: classifier-free guidance has little to say where nearly all is
    noise (Kynkäänniemi et al. 2024, arXiv 2404.07724).

    Raises `SettingsError` for numbers that are not possible.
    """

    step: float | int = 0.15
    """Share of the run after which the question is asked: 0.2 is step 10 of 50."""
    limit: float = 0.43
    """An image whose loss is at most this keeps its noise; -inf tries all noises, and the best goes on."""
    relative: bool = False
    """Whether what is compared with the limit is the loss over that of the same noise at the first step, where nothing
    has taken shape: 0.8 asks that it has fallen by a fifth. Then no limit belongs to one model."""
    tries: int = 2
    """Other noises tried, at most."""
    is_optional: bool = False
    """Whether a run that cannot be made again from another noise (image-to-image, a ControlNet's) goes on without
    restarts, with a warning, instead of being refused."""
    loss: AnyLoss | None = None
    """What predicts a failure; None for the method's own loss."""

    def __post_init__(self) -> None:
        if self.tries < 1 or not 0 < self.step <= 1:
            raise SettingsError(
                f"Expected a restart after a share of the run in (0, 1] and at least one try, got {self}. "
                "Use restart=None for none."
            )
