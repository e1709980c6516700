"""What guidance did: loss, step size and refinements of every image at every step, and what it cost.

Everything here goes to JSON.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from heedful.steering.notebook import paragraph, table

FORWARD, BACKWARD = 0.494, 0.587
"""Shares of one forward of Stable Diffusion 1.5 (512 px): up to its last 16x16 cross-attention, and back from it."""


@dataclass(frozen=True)
class StepTrace:
    """One step. The tuples hold one value per image; they are empty if the step was not guided."""

    step: int
    """Counted from 0."""
    timestep: float
    """The scheduler's."""
    step_size: float | None = None
    """None if the step was not guided."""
    loss: tuple[float, ...] = ()
    """Before the first update of the step; NaN or infinite if that is what it was, NaN too if nobody looked."""
    refinements: tuple[int, ...] = ()
    skipped: tuple[bool, ...] = ()
    """Whether an update was skipped because its loss or gradient was not finite."""

    @property
    def is_guided(self) -> bool:
        """Whether the latents could move at this step."""
        return self.step_size is not None


@dataclass(frozen=True)
class NoiseTrace:
    """The search for one image's initial noise."""

    noises: int
    """Noises tried, the pipeline's own included."""
    iterations: int
    """Gradient passes."""
    is_accepted: bool
    """Whether one was found whose scores are below their limits; else the best that was seen is used."""
    cross: tuple[float, float]
    """Cross response of the pipeline's own noise, and of the one that is used."""
    conflict: tuple[float, float]
    """Conflict of both."""
    skipped: int
    """Noises given up because a score or gradient was not finite."""


@dataclass(frozen=True)
class RestartTrace:
    """What was predicted of one image, and whether it restarted."""

    tries: int
    """Other noises tried; 0 if the loss was not above the limit."""
    loss: tuple[float, float]
    """The loss of the noise that the image began with, and of the one that went on."""
    chosen: int = 0
    """Which noise went on: 0 is the pipeline's own, 1 the first of the others."""
    losses: tuple[float, ...] = ()
    """The loss of every noise that was looked at, the pipeline's own first."""


@dataclass
class Trace(Sequence[StepTrace]):
    """One run of a pipeline, step by step."""

    images: int
    """Images made together."""
    steps: list[StepTrace] = field(default_factory=list)
    noises: tuple[NoiseTrace, ...] = ()
    """One per image; empty if the initial noise is the pipeline's own."""
    restarts: tuple[RestartTrace, ...] = ()
    """One per image; empty if no step asked whether to restart."""
    text_shift: tuple[float, ...] = ()
    """One per image: the length of what was added to the states of its text, over their length; empty without an edit
    of the text."""
    plain_rows: int = 0
    """Rows that the pipeline's own calls brought through the denoiser (two per image and step under CFG)."""
    gradient_rows: int = 0
    """Rows that guidance brought through the denoiser, up to the last site that it reads, and back."""
    backward_rows: int = 0
    """Rows of the pipeline's own calls that guidance brought back from there (scheme one-pass)."""
    spared_rows: int = 0
    """Rows of the pipeline's own calls that were skipped, because the condition was asked alone."""
    restart_rows: int = 0
    """Rows of the steps that were repeated from another noise, without those of their guidance."""
    look_rows: int = 0
    """Rows that were brought up to the last site that is read, and not back."""

    @property
    def relative_cost(self) -> float:
        """Operations of the denoiser with guidance over those without, as they are shared out in Stable Diffusion."""
        return self.cost(FORWARD, BACKWARD)

    def cost(self, forward: float, backward: float) -> float:
        """Return operations of the denoiser with guidance over those without.

        `forward` and `backward` are what a row takes up to the last site that is read, and back from there, relative to
        the whole forward (`heedful.steering.cost` measures them).
        """
        guidance = self.gradient_rows * (forward + backward) + self.backward_rows * backward + self.look_rows * forward
        return (self.plain_rows - self.spared_rows + guidance + self.restart_rows) / max(self.plain_rows, 1)

    @property
    def skipped(self) -> int:
        """Updates that were skipped, over all images and steps, those of the initial noise included."""
        return sum(sum(step.skipped) for step in self.steps) + sum(noise.skipped for noise in self.noises)

    def put(self, item: int, other: "Trace", index: int) -> None:
        """Replace what happened to one image by what happened to image `index` of another run, which is as long."""
        for step, (mine, theirs) in enumerate(zip(self.steps, other.steps, strict=True)):
            rows = {
                name: (
                    *values[:item],
                    found[index] if (found := getattr(theirs, name)) else nothing,
                    *values[item + 1 :],
                )
                for name, nothing in (("loss", float("nan")), ("refinements", 0), ("skipped", False))
                if (values := getattr(mine, name))
            }
            self.steps[step] = replace(mine, **rows)

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[StepTrace]:
        return iter(self.steps)

    def __getitem__(self, index: Any) -> Any:
        return self.steps[index]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data; numbers that are not finite become None, which JSON can say."""
        plain: dict[str, Any] = {**asdict(self), "relative_cost": self.relative_cost}
        for step in plain["steps"]:
            step["loss"] = _sayable(step["loss"])
        for noise in plain["noises"]:
            noise |= {name: _sayable(noise[name]) for name in ("cross", "conflict")}
        for restart in plain["restarts"]:
            restart |= {name: _sayable(restart[name]) for name in ("loss", "losses")}
        return plain

    def to_json(self) -> str:
        """Return everything as JSON."""
        return json.dumps(self.to_dict())

    def _head(self) -> str:
        """Return what happened in one or a few lines."""
        guided = sum(step.is_guided for step in self.steps)
        head = (
            f"Trace of {self.images} images, {len(self.steps)} steps, {guided} guided, "
            f"{self.skipped} updates skipped, {self.relative_cost:.2f} times the operations of a plain run"
        )
        if self.text_shift:
            head += f"\ntext moved by {', '.join(f'{shift:.3f}' for shift in self.text_shift)} of its length"
        if self.noises:
            accepted = sum(noise.is_accepted for noise in self.noises)
            head += (
                f"\ninitial noise: {accepted} of {self.images} accepted, {sum(n.noises for n in self.noises)} noises "
                f"tried in {sum(n.iterations for n in self.noises)} iterations"
            )
        if self.restarts:
            begun = sum(restart.tries > 0 for restart in self.restarts)
            head += f"\nrestarts: {begun} of {self.images} images, {sum(r.tries for r in self.restarts)} noises tried"
            numbers = ", ".join(str(restart.chosen) for restart in self.restarts)
            head += f"; the noises that went on (0 is the pipeline's own): {numbers}"
        return head

    def __repr__(self) -> str:
        rows = [_cells(step) for step in self.steps if step.is_guided]
        rows = [["step", "timestep", "size", "loss (refinements)"], *rows] if rows else []
        lines = (f"{row[0]:>4} {row[1]:>8} {row[2]:>8}  {'  '.join(row[3:])}" for row in rows)
        return "\n".join([self._head(), *lines])

    def _repr_html_(self) -> str:
        rows = [_cells(step) for step in self.steps if step.is_guided]
        titles = ["step", "timestep", "size", *(f"image {item}: loss (refinements)" for item in range(self.images))]
        return paragraph(self._head()) + (table(titles, rows) if rows else "")


def _sayable(values: Sequence[float]) -> list[float | None]:
    """Return `values` with None for those that are not finite."""
    return [value if abs(value) < float("inf") else None for value in values]


def _cells(step: StepTrace) -> list[str]:
    """Return step, timestep, step size, and each image's loss with its refinements."""
    values = zip(step.loss, step.refinements, strict=True)
    losses = (f"{loss:.4f}" + (f" ({count})" if count else "") for loss, count in values)
    return [f"{step.step}", f"{step.timestep:g}", f"{step.step_size:.4g}", *losses]
