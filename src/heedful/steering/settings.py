"""How hard, how long and by what a method steers, relative to the number of steps.

Published settings were made for raw gradients, 16x16 maps and 50 steps. Here they are shares of the run, so that 50
steps give the published numbers exactly.
"""

from dataclasses import dataclass
from math import inf
from typing import Literal, get_args

import numpy as np

from heedful.attention import SiteSelection
from heedful.errors import SettingsError
from heedful.steering.initial_noise import InitialNoise
from heedful.steering.key_shift import KeyShift
from heedful.steering.restart import Restart
from heedful.steering.text_edit import TextEdit
from heedful.steering.update import Rule

PUBLISHED_SITES = SiteSelection(scale=4)
"""Every cross-attention with 16x16 maps at 512 px, in all blocks (Attend-and-Excite and its descendants)."""

COARSEST_UP_SITES = SiteSelection(blocks=("up",), coarsest=True)
"""The first up block of a U-Net that attends to the text, whatever its size: 16x16 maps in Stable Diffusion 1 and 2,
32x32 in XL, 8x8 in the embedded U-Nets. Other families have their usual sites, those with joint attention by the rows
of the text, where they can be read: where each word looks shows a concept better than which word each cell looks at
(0.74 of objects of the embedded model `joint` instead of 0.20, in the same block)."""

EMBEDDED_SITES = SiteSelection(blocks=("up",), scale=2)
"""The embedded models' best maps: 8x8, in the first up block that attends to the text."""

Scheme = Literal["exact", "one-pass", "prediction", "select"]
"""How a method acts on a step; `Settings.scheme` says what each is."""

SELECTION = Restart(step=0.2, limit=-inf, tries=4)
"""What the scheme "select" does unless `Settings.restart` says otherwise: of five noises, the one whose maps have the
least of the method's loss after a fifth of the run."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a method leaves to be set. A step is one call of `scheduler.step`; a run has as many as it has timesteps.

    Raises `SettingsError` for values outside what is possible.
    """

    sites: SiteSelection = PUBLISHED_SITES
    """The attention that is read; the default is the published choice for Stable Diffusion."""
    step_size: float = 20.0
    """Length of the first step. Latents here are as the denoiser sees them (unit variance), for every scheduler."""
    step_rule: Rule = "raw"
    """What the step size multiplies.

    - "raw": the gradient.
    - "mean-square": the gradient in the metric in which the length of latents is their root mean square, which is the
      raw one times their number, 2048 in the embedded models; so a step size means the same at every resolution.
    - "root": the same, over the root of its length and times that of a step's share of the way from noise to an image,
      sqrt(2) over the number of steps. So an update is as long as the geometric mean of that share and of what
      "mean-square" says: images whose loss is steep still go farthest, but four times the slope is twice the way, and
      how steep a model's losses are and how many steps there are count by their roots alone.
    - "rms": the gradient over its root mean square, for each image.
    - "first": the gradient over the root mean square of the image's first one, so that the first update is as long as
      the step size says, whatever the model, and the others shorten as the gradient does.
    - "polyak": the step that would bring the image's loss to zero if it were linear, L g / |g|^2 (Polyak 1969), for
      losses that cannot be negative; 0.1 then asks for a tenth of the loss, whatever the model.
    """
    longest: float | None = None
    """An update is at most this times as long as the way that the step before has moved the latents by itself, so that
    guidance stays a part of sampling whatever the number of steps; None for no bound. The first step has none."""
    enough: float | None = None
    """An image whose loss is at most this is guided no more, and costs no more; None guides all to the end."""
    decay: tuple[float, float] = (1.0, 0.5)
    """Factor on the step size at the first and at the last step of the run (not of the guided part)."""
    decay_law: Literal["sqrt", "linear", "flow"] = "sqrt"
    """How the factor goes between them: sqrt(linspace(...)), as published, or linspace(...). "flow" is linspace(...)
    times `flow_weight`, the law of FOCUS."""
    scheme: Scheme = "exact"
    """How an update is made. "exact", as published: by a forward of its own, before the noise is predicted from the
    moved latents. "one-pass": from the forward that predicts the noise, which then costs a backward pass alone.
    "prediction": the same, and the scheduler is told the update in the prediction, so none can drop it.
    "select": no update and no gradient; of several noises, the one with the least loss goes on (`restart`)."""
    condition_alone: float | int = 0.0
    """Share of the steps, from the first on, in which the unconditional rows are skipped, as if the guidance scale were
    1, in a run whose steps are without a forward of their own. Where nearly all is noise, classifier-free guidance has
    little to say (Kynkäänniemi et al. 2024, arXiv 2404.07724), and is half of the step."""
    difference_kept: float | int = 0.0
    """Share of the run for which the difference that classifier-free guidance makes, the unconditional prediction less
    the conditional one, is kept before it is predicted anew; 0 predicts it in every step. It changes slowly once shapes
    are there, and is half of the step (Castillo et al. 2023, arXiv 2312.12487; Lv et al. 2024, arXiv 2410.19355).
    The steps of `guided` predict it always, without a loss too: while shapes form it changes by its own size and more
    from step to step. So with all steps guided nothing is kept, and nothing saved."""
    guided: float | int = 0.5
    """Share of the steps that is guided, from the first on: 0.5 is the first half, 1 all of them. For 25 of 40 steps,
    write 25 / 40."""
    targets: tuple[tuple[float | int, float], ...] = ()
    """(share of the run, loss): at this step, refine an image until its loss is at most this."""
    max_refinements: int = 20
    """Updates of one image in one refinement, at most."""
    initial_noise: InitialNoise | None = None
    """How the noise is chosen and moved before the first step; None takes the pipeline's."""
    restart: Restart | None = None
    """When an image restarts with another noise; None for never, or under the scheme "select" for `SELECTION`."""
    key_shift: KeyShift | None = None
    """How the keys of the concepts are moved, without any gradient; None leaves them as they are."""
    text_edit: TextEdit | None = None
    """How the text that the denoiser sees is edited before the first step; None leaves it as it is."""

    def __post_init__(self) -> None:
        if self.scheme not in get_args(Scheme):
            raise SettingsError(f"Expected a scheme of {', '.join(get_args(Scheme))}, got {self.scheme!r}.")
        if isinstance(self.condition_alone, bool):
            raise SettingsError(
                f"Expected a share of the run for condition_alone, got {self.condition_alone}. Write 0.3 for the first "
                "30 % of the steps."
            )
        if self.condition_alone and self.scheme not in ("one-pass", "prediction"):
            raise SettingsError(
                f'Expected scheme="one-pass" or "prediction" with condition_alone, got "{self.scheme}", whose steps '
                "predict the noise as the pipeline does."
            )
        if self.scheme == "select" and self.initial_noise is not None:
            raise SettingsError(
                'Expected no initial noise with scheme="select", which uses no gradient, got a search that follows '
                "one. Pass initial_noise=None, or another scheme."
            )
        if self.step_size < 0 or self.max_refinements < 0:
            raise SettingsError(f"Expected no negative step size or number of refinements, got {self}.")
        for share in (self.guided, self.condition_alone, self.difference_kept, *(share for share, _ in self.targets)):
            if not 0 <= share <= 1:
                raise SettingsError(
                    f"Expected a share of the run in [0, 1], got {share}. For a number of steps, divide it by the "
                    "number of steps of the run: 25 / 50."
                )

    @property
    def needs_gradient(self) -> bool:
        """Whether any pass goes back to the latents."""
        return self.scheme != "select"

    @property
    def selection(self) -> Restart | None:
        """When an image restarts with another noise, as asked for or as the scheme has it."""
        return SELECTION if self.restart is None and self.scheme == "select" else self.restart

    def step_sizes(self, steps: int) -> tuple[float, ...]:
        """Return the step size at each of `steps` steps."""
        factors = np.linspace(*self.decay, steps)
        if self.decay_law == "sqrt":
            factors = np.sqrt(factors)
        elif self.decay_law == "flow":
            factors = factors * [flow_weight(step / steps) / steps for step in range(steps)]
        return tuple((self.step_size * factors).tolist())

    def guided_steps(self, steps: int) -> int:
        """Return how many of `steps` steps are guided: the first ones, and at least one if the share is not 0.

        So the first 30 % are one step of a model that takes 1 to 4, two of 5 to 8, and 15 of 50.
        """
        if not self.needs_gradient or self.guided == 0:
            return 0
        return max(step_at(self.guided, steps), 1)

    def restart_step(self, steps: int) -> int | None:
        """Return the step at which images may restart, if any.

        It is never the first, before which no maps have been seen, nor beyond the last. A run of one step has no other:
        under the scheme "select", its noises are looked at by a pass of their own.
        """
        if self.selection is None or (steps < 2 and self.needs_gradient):
            return None
        return min(max(step_at(self.selection.step, steps), 1), steps - 1)

    def target_steps(self, steps: int) -> dict[int, float]:
        """Return the largest loss that refinement accepts, by the step at which it is asked for.

        Of targets that fall on the same step, the last one is asked for.
        """
        if not self.needs_gradient:
            return {}
        return {min(step_at(share, steps), steps - 1): loss for share, loss in self.targets}


def flow_weight(time: float) -> float:
    """Return 2 (1 - t + h) / (t + h) (1 - t), h = 0.001, at a share t of the way from noise to image.

    The first factor is the variance of the memoryless noise of flow matching (Domingo-Enrich et al. 2024, arXiv
    2409.08861). A step of 1 / N of the way moves the latents by 1 / N of what is added to the velocity.
    """
    return 2 * (1 - time + 1e-3) / (time + 1e-3) * (1 - time)


def step_at(share: float | int, steps: int) -> int:
    """Return the step at a share of a run; halves round up."""
    return int(share * steps + 0.5)
