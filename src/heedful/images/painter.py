"""Makes the images of a batch on one device, scores them, and finds their masks. Writes nothing."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

from PIL import Image

from heedful.attention import MaskRule
from heedful.errors import ModelError
from heedful.guidance import GradientShares, Guided, pipeline_shares
from heedful.images.cases import Batch, Case, Make, Result
from heedful.images.coco import describe_segments
from heedful.images.gallery import MASKS_NOTE, Entry, encode
from heedful.images.inpainting import for_inpainting
from heedful.images.painting import Painted, outcomes, paint, rounded, summarize_trace
from heedful.images.sampling import Sampling
from heedful.images.versions import versions_of
from heedful.models import Model, ModelOptions, open_model
from heedful.scores import Score, evaluate

_NOT_FINITE = "The model gave numbers that are not finite. Try 32-bit precision."
_LONGEST = 500  # characters of an error that a record keeps


@dataclass(frozen=True, eq=False)
class Painter:
    """A pipeline on its device with the scores of a run: `painter(batch)` makes and scores the images of a batch."""

    model: Model
    sampling: Sampling
    scores: Sequence[Score] = ()
    masks: bool = False
    """Whether each image is to carry the masks of its concepts."""
    catch: bool = True
    """Whether what a batch raises is caught: its cases are then made one by one, and those that raise again have
    failed."""
    on_step: Callable[[float], None] = lambda images: None
    """Called after each denoising step with the share of images that it did."""
    _shares: dict[str, GradientShares | None] = field(default_factory=dict, repr=False)

    def __call__(self, batch: Batch) -> list[Result]:
        """Return one result per case."""
        if not self.catch:
            return self._make(batch, batch.cases)
        try:
            return self._make(batch, batch.cases)
        except Exception as error:
            if len(batch.cases) == 1:
                return [Result(png=None, error=_say(error))]
        return [result for case in batch.cases for result in self._alone(batch, case)]

    def _alone(self, batch: Batch, case: Case) -> list[Result]:
        try:
            return self._make(batch, [case])
        except Exception as error:
            return [Result(png=None, error=_say(error))]

    def _make(self, batch: Batch, cases: Sequence[Case]) -> list[Result]:
        prompts, seeds = [case.prompt for case in cases], [case.seed for case in cases]
        start = perf_counter()
        painted = paint(
            self.model.pipe,
            self.sampling,
            prompts,
            batch.method,
            seeds,
            on_step=self.on_step,
            keep_maps=any(score.needs_maps for score in self.scores),
            keep_self_attention=self.masks,
        )
        seconds = (perf_counter() - start) / len(cases)
        cost = self._cost(batch.method.name, painted.guided)
        scored = self._score(painted, cases)
        notes = self._notes(painted)
        traces = summarize_trace(painted.guided.trace)
        return [
            Result(
                png=encode(painted.images[item], Entry(case.settings(batch.settings), notes[item])),
                error=scored[item][1],
                scores=scored[item][0],
                trace=traces[item],
                cost=cost,
                seconds=seconds,
            )
            if painted.is_finite[item]
            else Result(png=None, error=_NOT_FINITE, seconds=seconds)
            for item, case in enumerate(cases)
        ]

    def _notes(self, painted: Painted) -> list[dict[str, Any]]:
        """Return what each image is to say of itself that does not decide it."""
        common = {"model": self.model.name, "versions": versions_of(painted.guided.method)}
        notes = [common | asdict(outcome) for outcome in outcomes(painted.guided.trace)]
        if self.masks:
            segments = MaskRule()(painted.guided.maps, painted.images)
            notes = [note | {MASKS_NOTE: describe_segments(found)} for note, found in zip(notes, segments, strict=True)]
        return notes

    def _score(self, painted: Painted, cases: Sequence[Case]) -> list[tuple[dict[str, float | None], str | None]]:
        """Return the figures of each image, and why it has none."""
        images: list[Image.Image] = painted.images
        if not self.scores:
            return [({}, None)] * len(images)
        maps = painted.guided.maps if any(score.needs_maps for score in self.scores) else None
        try:
            with warnings.catch_warnings():  # which the plan has shown already, once for all batches
                warnings.simplefilter("ignore", UserWarning)
                values = evaluate(images, [case.prompt for case in cases], self.scores, maps)
        except Exception as error:
            if not self.catch:
                raise
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
    """Fingerprints of what is loaded on top that the plan was made for."""

    def __call__(self) -> Make:
        """Return the painter; raises `ModelError` if the weights are others here, and what `open_model` raises."""
        model = open_model(self.options)
        expected, found = {"weights": self.weights, **self.on_top}, {"weights": model.weights, **model.on_top}
        if found != expected:
            raise ModelError(
                f"Expected the same files of {model.name} on every machine, {expected}, got {found} on one. "
                "Give all machines the same files."
            )
        if self.sampling.inpainting is not None:
            model = for_inpainting(model)
        return Painter(model, self.sampling, self.scores, self.masks)


def _say(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:_LONGEST]
