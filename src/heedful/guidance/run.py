"""One run of a pipeline, from its first denoiser call to its last step: how far it is, and what it has done so far.

Knows steps, targets and results. Knows nothing of how they are made (`steering`).
"""

from collections.abc import Sequence

from heedful.attention import Maps
from heedful.guidance.history import MapHistory
from heedful.guidance.methods import Method
from heedful.guidance.settings import Settings
from heedful.guidance.trace import Trace
from heedful.guidance.update import Direction
from heedful.prompts import Prompt
from heedful.shapes import Latents


class Run:
    """The state of one run. Everything that outlives it is in `trace` and `maps`."""

    def __init__(self, prompts: Sequence[Prompt], steps: int, method: Method, settings: Settings, seeds: Sequence[int]):
        self.prompts = tuple(prompts)
        """One per image."""
        self.seeds = tuple(seeds)
        """One per image."""
        self.steps = steps
        self.step = 0
        """The step that is being made, counted from 0."""
        self.trace = Trace(images=len(prompts))
        self.maps = MapHistory(prompts)
        self.seen: Maps | None = None
        """The maps of this step, of the pass that predicted its noise, so after its update."""
        self.previous: Maps | None = None
        """The same of the step before."""
        self.is_steered = False
        """Whether this step's update has been made (or found not to be due)."""
        self.delta: Latents | None = None
        """This step's update, as the denoiser sees latents; None without one."""
        self.committed: Latents | None = None
        """The same update as the scheduler sees latents."""
        self.direct = Direction(settings.step_rule, method.direction, seeds)
        self._guided = settings.guided_steps(steps) if method.loss is not None else 0
        self._sizes = settings.step_sizes(steps)
        self._targets = settings.targets(steps) if method.loss is not None else {}

    @property
    def is_over(self) -> bool:
        """Whether every step has been made."""
        return self.step >= self.steps

    @property
    def step_size(self) -> float:
        """The step size of this step."""
        return self._sizes[self.step]

    @property
    def is_guided(self) -> bool:
        """Whether this step makes an update."""
        return self.step < self._guided

    @property
    def needs_maps_later(self) -> bool:
        """Whether a later step may make an update, for which a loss may ask for the maps of this one."""
        return self.step + 1 < self._guided or any(where > self.step for where in self._targets)

    def take_target(self) -> float | None:
        """Return the largest loss that this step accepts without refinement, if one is due, and forget it.

        A target that fell on a step which the scheduler does not let be guided is due at the next.
        """
        due = [where for where in self._targets if where <= self.step]
        targets = [self._targets.pop(where) for where in sorted(due)]
        return targets[-1] if targets else None

    def advance(self, *, keep_maps: bool) -> None:
        """Go on to the next step."""
        if keep_maps and self.seen is not None:
            self.maps.append(self.seen)
        self.step += 1
        self.previous, self.seen = self.seen, None
        self.is_steered = False
        self.delta = self.committed = None
