"""One run of a pipeline, from its first denoiser call to its last step: how far it is, and what it has done so far."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from heedful.attention import Form, Maps
from heedful.prompts import Prompt
from heedful.shapes import Latents, PerItem
from heedful.steering import trigflow
from heedful.steering.difference import Difference
from heedful.steering.edited_text import EditedText
from heedful.steering.history import MapHistory
from heedful.steering.method import Method
from heedful.steering.past import Past
from heedful.steering.prediction import prediction_weight, shifted
from heedful.steering.settings import Settings, step_at
from heedful.steering.trace import Trace
from heedful.steering.update import Direction, length


@dataclass
class Step:
    """What has happened so far in one step of a run."""

    is_steered: bool = False
    """Whether the denoiser has been called, so that this step's update is made, or found not to be due."""
    calls: int = 0
    """How often the denoiser has been called; a second call asks something else, such as a negative prompt."""
    is_update_due: bool = False
    """Whether the pass that predicts the noise makes the update too."""
    timestep: Any = None
    """The timestep as the denoiser got it."""
    predict: Callable[..., Any] | None = None
    """What made its prediction: (call, run) -> the denoiser's output. Pipelines may have a denoiser for early steps."""
    delta: Latents | None = None
    """The update, as the denoiser sees latents; None without one."""
    committed: Latents | None = None
    """What is added to the scheduler's latents for it; None for nothing."""
    told: Latents | None = None
    """The part of the update that the scheduler is told in the prediction instead, as an update of its latents."""
    seen: Maps | None = None
    """The maps of the pass that predicted the noise, so after the update."""

    def commit(self, form: Form, scheduler: Any, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of `scheduler.step`, whose latents are of a `form`, with the update in them."""
        latents = arguments["sample"]
        if self.committed is not None:
            update = form.for_scheduler(self.committed, latents)
            arguments = arguments | {"sample": (latents.to(update.dtype) + update).to(latents.dtype)}
            if trigflow.is_trigflow(scheduler):
                arguments |= {"model_output": trigflow.moved(arguments, update)}
        if self.told is not None:
            update, weight = form.for_scheduler(self.told, latents), prediction_weight(scheduler, arguments)
            arguments = arguments | {"model_output": shifted(arguments["model_output"], update, weight)}
        return arguments


class Run:
    """The state of one run. Everything that outlives it is in `trace` and `maps`."""

    def __init__(
        self,
        prompts: Sequence[Prompt],
        seeds: Sequence[int],
        scheduler: Any,
        *,
        steps: int,
        method: Method,
        settings: Settings,
    ):
        self.prompts = tuple(prompts)
        """One per image."""
        self.seeds = tuple(seeds)
        """One per image."""
        self.scheduler = scheduler
        """The pipeline's, or one of its own for the run of a restart."""
        self.past: Past | None = None
        """The steps so far, if some images may restart."""
        self.steps = steps
        self.step = 0
        """The step that is being made, counted from 0."""
        self.trace = Trace(images=len(prompts))
        self.maps = MapHistory(prompts)
        self.text: EditedText | None = None
        """What the denoiser gets in place of its text, if that is edited; the calls of a restart have it already."""
        self.now = Step()
        """What has happened in the step that is being made."""
        self.previous: Maps | None = None
        """The maps of the step before."""
        self.first: Maps | None = None
        """The maps of the first step, if some images may restart."""
        self.active: tuple[int, ...] = tuple(range(len(prompts)))
        """Images whose loss has not been good enough yet."""
        self.left: Latents | None = None
        """Where the step before left the latents, as the denoiser sees them, if updates are bounded by its length."""
        self.direct = Direction(settings.step_rule, method.direction, seeds, steps)
        self._longest = settings.longest
        self._guided = settings.guided_steps(steps) if method.loss is not None else 0
        # without a loss too: shapes form in these steps whether anything guides them or not
        self.difference = Difference(step_at(settings.difference_kept, steps), settings.guided_steps(steps))
        """What classifier-free guidance added at the last step that predicted it."""
        self._alone = step_at(settings.condition_alone, steps) if method.loss is not None else 0
        self._is_relative = settings.selection is not None and settings.selection.relative
        self._restart = settings.restart_step(steps)
        self._sizes = settings.step_sizes(steps)
        self._targets = settings.target_steps(steps) if method.loss is not None else {}

    @property
    def is_over(self) -> bool:
        """Whether every step has been made."""
        return self.step >= self.steps

    @property
    def progress(self) -> float:
        """The share of the run that is done."""
        return self.step / self.steps

    def longest(self, latents: Latents) -> PerItem | None:
        """Return how long an update of `latents` may be: a multiple of how far the step before has moved them.

        None without a bound, and at the first step.
        """
        if self._longest is None or self.left is None:
            return None
        return self._longest * length(latents - self.left)

    @property
    def step_size(self) -> float:
        """The step size of this step."""
        return self._sizes[self.step]

    @property
    def is_guided(self) -> bool:
        """Whether this step makes an update."""
        return self.step < self._guided and len(self.active) > 0

    @property
    def is_condition_alone(self) -> bool:
        """Whether this step leaves the unconditional rows out."""
        return self.step < self._alone

    @property
    def needs_maps_later(self) -> bool:
        """Whether a later step may make an update or restart, for which a loss may ask for the maps of this one."""
        is_refined = any(where > self.step for where in self._targets)
        return self.step + 1 < self._guided or is_refined or self.needs_maps_to_restart

    @property
    def may_restart_next(self) -> bool:
        """Whether the next step may ask which images restart, for which it needs the maps of this one."""
        return self._restart is not None and self.step + 1 >= self._restart

    @property
    def needs_maps_to_restart(self) -> bool:
        """Whether these maps are asked which images restart: those before that step, and the first for what is relative
        to it.
        """
        return self.may_restart_next or (self._is_relative and self._restart is not None and self.step == 0)

    def take_restart(self) -> bool:
        """Return whether this step asks which images restart; once, and at the next step if this one cannot."""
        is_due = self.past is not None and self._restart is not None and self.step >= self._restart
        if is_due:
            self._restart = None
        return is_due

    def take_over(self, item: int, other: "Run", index: int) -> None:
        """Put image `index` of another run, which is as far as this one, in the place of `item`."""
        assert self.previous is not None and other.previous is not None
        tokens = self.previous.tokens.clone()
        tokens[item] = other.previous.tokens[index]
        self.previous = replace(self.previous, tokens=tokens, self_attention=None)
        if self.left is not None and other.left is not None:
            self.left = self.left.clone()
            self.left[item] = other.left[index]
        others = set(self.active) - {item}
        self.active = tuple(sorted(others | {item} if index in other.active else others))
        self.maps.put(item, other.maps, index)
        self.trace.put(item, other.trace, index)
        self.direct.take_over(item, other.direct, index)
        self.difference.forget()

    def take_target(self) -> float | None:
        """Return the largest loss that this step accepts without refinement, if one is due, and forget it.

        A target that fell on a step which the scheduler does not let be guided is due at the next.
        """
        due = [where for where in self._targets if where <= self.step]
        targets = [self._targets.pop(where) for where in sorted(due)]
        return targets[-1] if targets else None

    def advance(self, *, keep_maps: bool) -> None:
        """Go on to the next step."""
        if keep_maps and self.now.seen is not None:
            self.maps.append(self.now.seen)
        if self.step == 0 and self._is_relative:
            self.first = self.now.seen
        self.step += 1
        self.previous, self.now = self.now.seen, Step()
