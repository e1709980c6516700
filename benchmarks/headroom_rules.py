"""Has a model room for a published loss? The loss against plain sampling and both controls, on the same noise.

It says which methods are compared, and what counts as headroom; `trial` generates the images.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from heedful.attention import by_words
from heedful.errors import SettingsError
from heedful.guidance import Method, Settings
from heedful.guidance.methods import WrongTokens
from heedful.lab.records import FAULTS
from heedful.lab.trial import Trial, TrialRecord, success_table
from heedful.scores.statistics import Comparison, compare

PLAIN, LOSS, RANDOM, WRONG = "none", "loss", "random", "wrong-tokens"
BASELINES = (PLAIN, RANDOM, WRONG)
OUTCOMES = ("success", *FAULTS)


def controls_of(method: Method) -> dict[str, Method]:
    """Return both controls of a method: steps as long in random directions; the same loss on the wrong tokens.

    They are called METHOD-random and METHOD-wrong-tokens. Raises `SettingsError` for a method without a loss.
    """
    if method.loss is None:
        raise SettingsError(f"Expected a method with a loss, which controls can imitate, got {method.name!r}.")
    return {
        RANDOM: replace(method, name=f"{method.name}-{RANDOM}", direction="random"),
        WRONG: replace(method, name=f"{method.name}-{WRONG}", loss=WrongTokens(method.loss)),
    }


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The two numbers that are varied: the length of the first step, and the guided share of the run.

    Of a method that moves keys, the strength of that and the share of the run in which it does.
    """

    step_size: float
    guided: float

    def __str__(self) -> str:
        """As it is written on the command line and in names of files: 20@0.3."""
        return f"{self.step_size:g}@{self.guided:g}"

    def of(self, settings: Settings) -> Settings:
        """Return `settings` with these two numbers."""
        if settings.key_shift is not None:
            shift = replace(settings.key_shift, strength=self.step_size, guided=self.guided)
            return replace(settings, key_shift=shift)
        return replace(settings, step_size=self.step_size, guided=self.guided)


def parse_setting(text: str) -> Setting:
    """Read STEPSIZE@GUIDED, such as 20@0.3. Raises `SettingsError` for anything else."""
    try:
        step_size, guided = (float(word) for word in text.split("@"))
        setting = Setting(step_size=step_size, guided=guided)
        setting.of(Settings())  # which says what is possible
    except ValueError as error:
        raise SettingsError(
            f"Expected STEPSIZE@GUIDED, the guided share in [0, 1], such as 20@0.3, got {text!r}."
        ) from error
    return setting


def parse_settings(text: str) -> Iterator[tuple[str, Setting]]:
    """Read METHOD=STEPSIZE@GUIDED, with commas between several; yield each method's name with its numbers."""
    for part in filter(None, text.split(",")):
        name, _, numbers = part.partition("=")
        yield name, parse_setting(numbers)


def read_by_words(denoiser: Any, settings: Settings) -> Settings:
    """Return settings that read the rows of the text; raises `SettingsError` where there are none."""
    sites = by_words(denoiser, settings.sites)
    if sites.rows != "text":
        raise SettingsError(
            "Expected a model with joint attention whose rows of the text can be read, got a "
            f"{type(denoiser).__name__}. Leave --by-words out."
        )
    return replace(settings, sites=sites)


@dataclass(frozen=True, kw_only=True)
class Headroom:
    """What a loss changed: by baseline (`none`, `random`, `wrong-tokens`) and outcome, the paired difference."""

    pairs: int
    """Images of each of the four; image i of all starts from the same noise."""
    shares: dict[str, dict[str, float]]
    """By arm (`none`, `loss`, `random`, `wrong-tokens`) and outcome, the share of images."""
    differences: dict[str, dict[str, Comparison]]
    """The loss minus the baseline, for success and every kind of failure, with 95 % intervals that resample prompts."""

    @property
    def is_shown(self) -> bool:
        """Whether success is higher than under every baseline, by an interval that excludes zero."""
        found = [self.differences[baseline]["success"].difference for baseline in BASELINES]
        return all(each.has_interval and each.low > 0 for each in found)


def headroom(records: Mapping[str, list[TrialRecord]], trial: Trial) -> Headroom:
    """Compare the records of the arms `none`, `loss`, `random` and `wrong-tokens`, all of the same trial."""
    tables: dict[str, dict[str, np.ndarray]] = {
        arm: {outcome: success_table(records[arm], trial, outcome) for outcome in OUTCOMES}
        for arm in (PLAIN, LOSS, RANDOM, WRONG)
    }
    return Headroom(
        pairs=len(trial.cases),
        shares={arm: {outcome: float(table.mean()) for outcome, table in each.items()} for arm, each in tables.items()},
        differences={
            baseline: {outcome: compare(tables[baseline][outcome], tables[LOSS][outcome]) for outcome in OUTCOMES}
            for baseline in BASELINES
        },
    )
