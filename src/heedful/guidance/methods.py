"""The methods by name: a loss, the settings that were published with it, and those for the embedded world.

Knows which loss goes with which numbers. Knows nothing of pipelines. A method of your own is one more `Method`, or
simply a loss that is passed to `heedful.guide`.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

from heedful import losses
from heedful.attention import layout_of
from heedful.guidance import presets
from heedful.guidance.initial_noise import CONFLICT
from heedful.guidance.settings import PUBLISHED_SITES, Settings
from heedful.losses import (
    AnyLoss,
    AttendAndExcite,
    DivideAndBind,
    Elsewhere,
    Retention,
    Segregation,
    Separability,
    SynGen,
    WrongTokens,
    citations_of,
)
from heedful.world import is_world

PUBLISHED = Settings()


@dataclass(frozen=True, kw_only=True)
class Method:
    """A loss and how to follow its gradient."""

    name: str
    """As in folders and on the command line."""
    loss: AnyLoss | None
    """None reads the maps and changes nothing."""
    settings: Settings = PUBLISHED
    """As published, where it was."""
    world: Settings | None = None
    """Used by itself on denoisers of the embedded world's architecture, whose maps are smaller."""
    direction: Literal["gradient", "random"] = "gradient"
    """"random" takes steps of the same size in a random direction: a control."""

    @property
    def citations(self) -> tuple[str, ...]:
        """Keys of the papers behind it, for `heedful.cite`."""
        return tuple(dict.fromkeys([*citations_of(self.loss), *citations_of(self.settings.initial_noise)]))

    def settings_for(self, denoiser: Any) -> Settings:
        """Return the settings that suit `denoiser`.

        Published sites are 16x16 cells of a U-Net; where there are none, the family's usual ones are read.
        """
        if self.world is not None and is_world(denoiser):
            return self.world
        usual = layout_of(denoiser).usual_sites
        if usual is None or self.settings.sites != PUBLISHED_SITES:
            return self.settings
        return replace(self.settings, sites=usual)


EXCITE = AttendAndExcite(reference_tokens=77)
"""The published loss exactly for Stable Diffusion's 77 tokens, and as sharp for other text lengths."""

NONE = Method(
    name="none",
    loss=None,
    world=presets.WORLD,
)
"""No guidance: the pipeline's own images, bit for bit. The maps are read all the same."""

ATTEND_AND_EXCITE = Method(
    name="attend-and-excite",
    loss=EXCITE,
    settings=presets.ATTEND_AND_EXCITE,
    world=presets.WORLD_ATTEND_AND_EXCITE,
)
"""Attend-and-Excite (Chefer et al. 2023): the concept that is heeded least is excited; settings of its code."""

_RETENTION = Retention(threshold="quantile", quantile=0.9)

A_STAR = Method(
    name="a-star",
    loss=Segregation() + _RETENTION,
    settings=presets.A_STAR,
    world=presets.WORLD_A_STAR,
)
"""A-STAR (Agarwal et al. 2023): concepts keep apart and are kept, 1 : 1, at every step.

The paper leaves these open, and no code was published. Chosen here:

- maps: mean over heads and all 16x16 cross-attention sites, as in Attend-and-Excite, not smoothed;
- normalisation: none for segregation, whose ratio is a ratio of sums; by the maximum for retention, because raw
  attention (about 1/77) against a mask of ones is .98 whatever the map;
- mask of the step before: the highest tenth of the map's cells, from the maps of the pass that predicted that step's
  noise, so after that step's update; a constant, without gradient; none at the first step. Above the mean is the
  plainer reading, but asks each concept to fill some 40 % of the image: on the embedded model that doubles objects;
- ratio: the paper's, sum of minima over sum of both, although it calls that an intersection over union;
- step size: Attend-and-Excite's 20 sqrt(linspace(1, .5, steps)); one update a step, no refinement.

Each is a field of `Segregation`, `Retention` or `Settings`.
"""

ATTEND_AND_EXCITE_A_STAR = Method(
    name="attend-and-excite+a-star",
    loss=EXCITE + Segregation() + _RETENTION,
    settings=presets.ATTEND_AND_EXCITE_A_STAR,
    world=presets.WORLD_ATTEND_AND_EXCITE_A_STAR,
)
"""The sum of both: concepts are present, apart and kept."""

DIVIDE_AND_BIND = Method(
    name="divide-and-bind",
    loss=DivideAndBind(reference_tokens=77),
    settings=presets.DIVIDE_AND_BIND,
    world=presets.WORLD_DIVIDE_AND_BIND,
)
"""Divide & Bind (Li et al. 2023): concepts excite several places, modifiers the same ones.

The published code raises the weight of the binding from 1 to 5 and 10 on the way
(`heedful.losses.DIVIDE_AND_BIND_SCHEDULE`); here it stays 1.
"""

SYNGEN = Method(
    name="syngen",
    loss=SynGen(),
    settings=presets.SYNGEN,
    world=presets.WORLD_SYNGEN,
)
"""SynGen (Rassin et al. 2023): modifiers look where their nouns look, and nothing else does. It has nothing to do for a
prompt without modifiers."""

EBAMA = Method(
    name="ebama",
    loss=losses.EBAMA(reference_tokens=77),
    settings=presets.EBAMA,
    world=presets.WORLD_EBAMA,
)
"""EBAMA (Zhang et al. 2024): the same with nouns alone pushed away, and each noun excited."""

CONFORM = Method(
    name="conform",
    loss=losses.CONFORM(reference_tokens=77),
    settings=presets.CONFORM,
    world=presets.WORLD_CONFORM,
)
"""CONFORM (Meral et al. 2024): maps of one concept attract, those of others repel, also those of the step before."""

FOCUS = Method(
    name="focus",
    loss=losses.FOCUS(),
    settings=presets.FOCUS,
    world=presets.WORLD_FOCUS,
)
"""FOCUS (Bill et al. 2025): the words of a concept look at one place, concepts at different ones."""

HEEDFUL = Method(
    name="heedful",
    loss=Separability() + 3.0 * Elsewhere(),
    settings=presets.HEEDFUL,
    world=presets.WORLD_HEEDFUL,
)
"""Our own: each concept in one place, no two in the same (`Separability`), and nothing heeded in a third (`Elsewhere`),
in the first 30 % of a run. On the embedded world these steps are one-pass and ask the condition alone, which makes them
cheaper than plain ones, and an image that heeds a third place all the same begins again with another noise (`Restart`):
it would come out with one object too many.

Its numbers were chosen on the embedded world; nobody has tried it on Stable Diffusion, where it is exact and never
begins again.
"""

INITNO = Method(
    name="initno",
    loss=EXCITE + CONFLICT,
    settings=presets.INITNO,
    world=presets.WORLD_INITNO,
)
"""InitNO (Guo et al. 2024): the initial noise is chosen and moved until the maps of the first step are good; then
Attend-and-Excite's loss and the self-conflict, 1 : 1, steer the first half of the steps.

Not here: two terms that the published code adds while it samples, at weight .1 (see `heedful.losses.initno`), and its
refinement at two later steps, whose targets are not known for this sum. Its step size is Attend-and-Excite's.
"""

RANDOM = Method(
    name="random",
    loss=EXCITE,
    settings=presets.ATTEND_AND_EXCITE_A_STAR,
    world=presets.WORLD_ATTEND_AND_EXCITE,
    direction="random",
)
"""A control: steps as long as Attend-and-Excite's (without refinement), in a random direction of each image's seed."""

WRONG_TOKENS = Method(
    name="wrong-tokens",
    loss=WrongTokens(Segregation()),
    settings=presets.ATTEND_AND_EXCITE_A_STAR,
    world=presets.WORLD_ATTEND_AND_EXCITE,
)
"""A control, and the one to beat: segregation of tokens that are no concepts, such as an article and "and"."""

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        NONE,
        ATTEND_AND_EXCITE,
        A_STAR,
        ATTEND_AND_EXCITE_A_STAR,
        INITNO,
        DIVIDE_AND_BIND,
        SYNGEN,
        EBAMA,
        CONFORM,
        FOCUS,
        HEEDFUL,
        RANDOM,
        WRONG_TOKENS,
    )
}
"""By the name that the command line knows."""
