"""Makes the images of a batch on one device, and scores them.

Knows pipelines and scores. Writes nothing: what it returns may have to travel to the machine that keeps the records.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

from PIL import Image

from heedful.attention import MaskRule
from heedful.bench.cases import Batch, Case, Make, Result, rounded
from heedful.errors import ModelError
from heedful.guidance import GradientShares, Guided, Trace, pipeline_shares
from heedful.images import MASKS_NOTE, VERSIONS, Entry, Sampling, describe_segments, encode, outcomes, paint
from heedful.models import Model, ModelOptions, open_model
from heedful.scores import Score, evaluate

_LONGEST = 500  # characters of an error that a record keeps


@dataclass(frozen=True, eq=False)
class Painter:
    """A pipeline on its device with the scores of a run: `painter(batch)` makes and scores the images of a batch.

    If the batch raises, its cases are made one by one, and those that raise again have failed.
    """

    model: Model
    sampling: Sampling
    scores: Sequence[Score] = ()
    masks: bool = False
    """Whether each image is to carry the masks of its concepts."""
    _shares: dict[str, GradientShares | None] = field(default_factory=dict, repr=False)

    def __call__(self, batch: Batch) -> list[Result]:
        """Return one result per case."""
        try:
            return self._paint(batch, batch.cases)
        except Exception as error:
            if len(batch.cases) == 1:
                return [Result(png=None, error=_say(error))]
        return [result for case in batch.cases for result in self._alone(batch, case)]

    def _alone(self, batch: Batch, case: Case) -> list[Result]:
        try:
            return self._paint(batch, [case])
        except Exception as error:
            return [Result(png=None, error=_say(error))]

    def _paint(self, batch: Batch, cases: Sequence[Case]) -> list[Result]:
        prompts, seeds = [case.prompt for case in cases], [case.seed for case in cases]
        needs_maps = any(score.needs_maps for score in self.scores)
        start = perf_counter()
        images, guided = paint(
            self.model.pipe,
            self.sampling,
            prompts,
            batch.method,
            seeds,
            keep_maps=needs_maps,
            keep_self_attention=self.masks,
        )
        seconds = (perf_counter() - start) / len(cases)
        cost = self._cost(batch.method.name, guided)
        scored = self._score(images, cases, guided)
        segments = MaskRule()(guided.maps, images) if self.masks else []
        results = []
        for item, (case, image, outcome) in enumerate(zip(cases, images, outcomes(guided.trace), strict=True)):
            concepts = [concept.name for concept in case.prompt.concepts]
            settings = dict(batch.settings) | {"prompt": case.prompt.text, "seed": case.seed, "concepts": concepts}
            notes: dict[str, Any] = {"model": self.model.name, **asdict(outcome), "versions": VERSIONS}
            if self.masks:
                notes[MASKS_NOTE] = describe_segments(segments[item])
            figures, error = scored[item]
            results.append(
                Result(
                    png=encode(image, Entry(settings, notes)),
                    error=error,
                    scores=figures,
                    trace=summarize_trace(guided.trace, item),
                    cost=cost,
                    seconds=seconds,
                )
            )
        return results

    def _score(
        self, images: Sequence[Image.Image], cases: Sequence[Case], guided: Guided
    ) -> list[tuple[dict[str, float | None], str | None]]:
        """Return the figures of each image, and why it has none."""
        if not self.scores:
            return [({}, None)] * len(images)
        maps = guided.maps if any(score.needs_maps for score in self.scores) else None
        try:
            values = evaluate(images, [case.prompt for case in cases], self.scores, maps)
        except Exception as error:
            return [({}, f"a score: {_say(error)}")] * len(images)
        return [({name: rounded(column[item]) for name, column in values.items()}, None) for item in range(len(images))]

    def _cost(self, name: str, guided: Guided) -> float | None:
        if name not in self._shares:
            self._shares[name] = pipeline_shares(self.model.pipe, guided.settings.sites)
        shares = self._shares[name]
        return None if shares is None else round(guided.trace.cost(*shares), 4)


@dataclass(frozen=True, kw_only=True)
class PainterLoader:
    """Everything that another process needs to load the same painter: `loader()`."""

    options: ModelOptions
    weights: str
    """Fingerprint of the weights that the plan was made for."""
    sampling: Sampling
    scores: tuple[Score, ...] = ()
    masks: bool = False
    on_top: Mapping[str, Any] = field(default_factory=dict)
    """Fingerprints of the additions that the plan was made for."""

    def __call__(self) -> Make:
        """Return the painter; raises `ModelError` if the weights are others here, and what `open_model` raises."""
        model = open_model(self.options)
        expected, found = {"weights": self.weights, **self.on_top}, {"weights": model.weights, **model.on_top}
        if found != expected:
            raise ModelError(
                f"Expected the same files of {model.name} on every machine, {expected}, got {found} on one. "
                "Give all machines the same files."
            )
        return Painter(model, self.sampling, self.scores, self.masks)


def summarize_trace(trace: Trace, item: int) -> dict[str, Any]:
    """Return what a record keeps of one image's trace, as plain JSON values."""
    guided = [step for step in trace if step.is_guided]
    tries = trace.restarts[item].tries if trace.restarts else 0
    return {
        "guided_steps": len(guided),
        "skipped_updates": sum(step.skipped[item] for step in guided),
        "restarts": tries,
        "first_loss": rounded(guided[0].loss[item]) if guided else None,
        "last_loss": rounded(guided[-1].loss[item]) if guided else None,
    }


def _say(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:_LONGEST]
