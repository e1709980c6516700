"""What a benchmark has to make: every prompt of a suite with every seed by every method, and what of it is done.

Knows how a wish becomes batches. Keeps a byte for each case and makes the cases themselves when they are wanted, so a
plan of millions stays small. Makes no image.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from heedful.bench.cases import Batch, Case, KeyMaker
from heedful.bench.folder import BenchFolder
from heedful.bench.provenance import provenance, run_name
from heedful.bench.records import read_cases
from heedful.bench.suites import Suite
from heedful.errors import PromptError, SettingsError, UnsuitablePrompt
from heedful.guidance import Method, parse_prompt
from heedful.images import Sampling, at_least, choose_sampling, folder_name, rehearse, settings_of
from heedful.models import Model
from heedful.prompts import Prompt
from heedful.scores import Score
from heedful.teaching import check_placeholders

MOVE = 1000
"""How far the seeds of a prompt lie from those of the prompt before it."""


@dataclass(frozen=True, kw_only=True)
class BenchWish:
    """What a person asks for. None means: what suits the model."""

    suite: Suite
    methods: Sequence[Method]
    seeds: Sequence[int]
    """Below 1000 each, unless `same_noise`."""
    scores: Sequence[Score] = ()
    masks: bool = False
    """Whether each image is to carry the masks of its concepts."""
    same_noise: bool = False
    """Whether every prompt starts from the same noises, as in Attend-and-Excite's protocol. Else the seeds of prompt i
    are moved by 1000 i: much of an image is settled by its noise, and intervals that resample prompts do not see what
    prompts share."""
    steps: int | None = None
    guidance_scale: float | None = None
    width: int | None = None
    """Pixels."""
    height: int | None = None
    """Pixels."""
    batch_size: int | None = None


@dataclass(frozen=True, kw_only=True)
class BenchPlan:
    """All cases by method, seed and prompt, in that order, and which of them are done.

    Batches are cut from the whole list of a method and keep their cases, so a run that was stopped goes on in the same
    batches. Seeds stand before prompts: more seeds only add batches, and what a stopped run has is fair to all prompts.
    """

    suite: Suite
    prompts: Sequence[Prompt]
    methods: Sequence[Method]
    seeds: Sequence[int]
    scores: Sequence[Score]
    sampling: Sampling
    settings: Mapping[str, Mapping[str, Any]]
    """By method: what decides its images beside prompt, concepts and seed."""
    batch_size: int
    move: int
    """How far the seeds of a prompt lie from those of the prompt before it: 1000, or 0."""
    is_done: bytes
    """A byte per case."""
    run: Mapping[str, Any]
    """What the run says of itself."""
    remarks: Sequence[str] = ()

    def __len__(self) -> int:
        """How many cases there are."""
        return len(self.is_done)

    @property
    def todo(self) -> int:
        """How many cases are left to do."""
        return self.is_done.count(0)

    def batches(self) -> Iterator[Batch]:
        """Yield what is left to do, batch by batch."""
        row = len(self.seeds) * len(self.prompts)
        number = 0
        for place, method in enumerate(self.methods):
            settings = self.settings[method.name]
            keys = KeyMaker(settings)
            for start in range(0, row, self.batch_size):
                part = range(start, min(start + self.batch_size, row))
                left = [index for index in part if not self.is_done[place * row + index]]
                if left:
                    cases = tuple(self._case(method, keys, index) for index in left)
                    yield Batch(number=number, method=method, settings=settings, cases=cases)
                number += 1

    def _case(self, method: Method, keys: KeyMaker, index: int) -> Case:
        seed, place = divmod(index, len(self.prompts))
        prompt = self.prompts[place]
        number = self.seeds[seed] + self.move * place
        return Case(
            key=keys(prompt, number),
            prompt=prompt,
            kind=self.suite.lines[place].kind,
            seed=number,
            image=f"{method.name}/{self._folders[place]}/{number}.png",
        )

    @cached_property
    def _folders(self) -> list[str]:
        return [folder_name(prompt.text) for prompt in self.prompts]


@dataclass(frozen=True)
class Places:
    """Where cases stand in a plan: `places(record)`."""

    methods: Mapping[str, int]
    prompts: Mapping[str, int]
    seeds: Mapping[int, int]
    keys: Sequence[KeyMaker]
    parsed: Sequence[Prompt]
    move: int

    def __call__(self, record: Mapping[str, Any]) -> int | None:
        """Return the place of a record's case, or None if the plan has no such case."""
        method, prompt = self.methods.get(record["method"]), self.prompts.get(record["prompt"])
        if method is None or prompt is None:
            return None
        seed = self.seeds.get(record["seed"] - self.move * prompt)
        if seed is None or self.keys[method](self.parsed[prompt], record["seed"]) != record["key"]:
            return None
        return (method * len(self.seeds) + seed) * len(self.parsed) + prompt


def make_bench_plan(model: Model, folder: BenchFolder, wish: BenchWish) -> BenchPlan:
    """Check `wish` against model and folder, and return what is to be done. Writes nothing.

    Prompts that a method cannot work on (no concept, for example) are remarks here, and become records that failed.
    Raises `PromptError` for a prompt that cannot be read, `SettingsError`, and `PipelineError` for a method that cannot
    work on this model or scheduler; `SettingsError` if the folder holds a benchmark that was made in another way.
    """
    move = 0 if wish.same_noise else MOVE
    if move and max(wish.seeds) >= move:
        raise SettingsError(
            f"Expected seeds below {move}, because those of each prompt are moved by {move}, got {max(wish.seeds)}. "
            "Take smaller seeds, or let all prompts have the same noise."
        )
    prompts = [_parse(model, line.prompt, line.concepts) for line in wish.suite.lines]
    _check_texts(prompts)
    sampling = choose_sampling(
        model, steps=wish.steps, guidance_scale=wish.guidance_scale, width=wish.width, height=wish.height
    )
    batch_size = at_least(1, wish.batch_size, model.batch_size, "a batch size")
    settings = {method.name: settings_of(model, sampling, method) for method in wish.methods}
    run = _run(model, wish, sampling, batch_size, settings)
    folder.check(run, wish.suite)
    places = Places(
        methods={method.name: place for place, method in enumerate(wish.methods)},
        prompts={prompt.text: place for place, prompt in enumerate(prompts)},
        seeds={seed: place for place, seed in enumerate(wish.seeds)},
        keys=[KeyMaker(settings[method.name]) for method in wish.methods],
        parsed=prompts,
        move=move,
    )
    return BenchPlan(
        suite=wish.suite,
        prompts=prompts,
        methods=wish.methods,
        seeds=wish.seeds,
        scores=wish.scores,
        sampling=sampling,
        settings=settings,
        batch_size=batch_size,
        move=move,
        is_done=find_done(folder.folder, places, len(wish.methods) * len(wish.seeds) * len(prompts)),
        run=run,
        remarks=_rehearse(model, prompts, wish.methods),
    )


def find_done(folder: Path, places: Places, count: int) -> bytes:
    """Return a byte for each of `count` cases: 1 if a record in `folder` says that it is done."""
    is_done = bytearray(count)
    for record in read_cases(folder):
        if record["status"] == "done":
            place = places(record)
            if place is not None:
                is_done[place] = 1
    return bytes(is_done)


def _parse(model: Model, text: str, concepts: Sequence[str] | None) -> Prompt:
    try:
        check_placeholders(text, model.pipe.tokenizer)
        return parse_prompt(model.pipe, text, concepts)
    except PromptError as error:
        raise type(error)(f"In the suite, prompt {text!r}: {error}") from error


def _check_texts(prompts: Sequence[Prompt]) -> None:
    """Refuse two prompts with the same text and other marks: their images would lie in the same place."""
    seen: set[str] = set()
    for prompt in prompts:
        if prompt.text in seen:
            raise SettingsError(
                f"Expected different prompts, got {prompt.text!r} twice with other marks. Make two suites of them."
            )
        seen.add(prompt.text)


def _rehearse(model: Model, prompts: Sequence[Prompt], methods: Sequence[Method]) -> tuple[str, ...]:
    """Return what methods have to say about the prompts, each remark once."""
    remarks: dict[str, None] = {}
    for method in methods:
        try:
            remarks |= dict.fromkeys(rehearse(model, prompts, [method]))
        except UnsuitablePrompt as error:
            remarks[f"{method.name}: {error} Such cases are recorded as failed."] = None
    return tuple(remarks)


def _run(
    model: Model, wish: BenchWish, sampling: Sampling, batch_size: int, settings: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what the run says of itself."""
    return {
        "run": run_name(),
        "suite": wish.suite.name,
        "model": model.name,
        "weights": model.weights,
        "settings": {
            "steps": sampling.steps,
            "guidance_scale": sampling.guidance_scale,
            "scheduler": type(model.pipe.scheduler).__name__,
            "dtype": model.dtype,
            "width": sampling.width,
            "height": sampling.height,
            "batch_size": batch_size,
            **model.on_top,
        },
        "methods": {name: each["method_settings"] for name, each in settings.items()},
        "seeds": list(wish.seeds),
        "same_noise": wish.same_noise,
        "masks": wish.masks,
        "scores": {score.name: repr(score) for score in wish.scores},
        **provenance(str(model.pipe.device)),
    }
