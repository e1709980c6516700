"""What a request makes: every case, which of them are done, and which are made together. Makes no image.

A plan keeps a byte for each case and makes the cases themselves when they are wanted, so one of millions stays small.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from heedful.attention import ImagePipeline
from heedful.errors import MissingExtra, ModelError, PromptError, SettingsError, UnsuitablePrompt
from heedful.guidance import Method, denoiser_of, parse_prompt
from heedful.images.cases import Batch, Case, KeyMaker
from heedful.images.gallery import image_name
from heedful.images.inpainting import begun_late, for_inpainting, is_inpainting
from heedful.images.request import PromptLine, Request
from heedful.images.sampling import Sampling, choose_sampling, rehearse, settings_of
from heedful.images.world_remarks import world_remarks
from heedful.models import Model
from heedful.prompts import Prompt, take_weights
from heedful.teaching import check_placeholders

MOVE = 1000
"""How far the seeds of a prompt lie from those of the prompt before it, unless all have the same noise."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All cases, method by method, and which of them are done.

    Batches are cut from the whole list of a method and keep their cases, so a run that was stopped goes on in the same
    batches.
    """

    request: Request
    model: Model
    """With the pipeline that the request needs."""
    prompts: Sequence[Prompt]
    methods: Sequence[Method]
    """As they can work in this run."""
    sampling: Sampling
    settings: Mapping[str, Mapping[str, Any]]
    """By method: what decides its images next to prompt, concepts and seed."""
    is_done: bytes
    """A byte for each case."""
    remarks: Sequence[str] = ()
    """What a method has to say about a prompt, each once: that a part of its loss has nothing to do, for example."""

    def __len__(self) -> int:
        """How many cases there are."""
        return len(self.is_done)

    @property
    def todo(self) -> int:
        """How many cases are left to do."""
        return self.is_done.count(0)

    def cases(self) -> Iterator[Case]:
        """Yield every case, those that are done too."""
        row = len(self) // len(self.methods)
        for method in self.methods:
            yield from (self._case(method, index) for index in range(row))

    def batches(self) -> Iterator[Batch]:
        """Yield what is left to do, batch by batch."""
        row = len(self) // len(self.methods)
        size, number = self.sampling.batch_size, 0
        for position, method in enumerate(self.methods):
            for start in range(0, row, size):
                part = range(start, min(start + size, row))
                left = tuple(self._case(method, index) for index in part if not self.is_done[position * row + index])
                if left:
                    yield Batch(number=number, settings=self.settings[method.name], cases=left)
                number += 1

    def find(self, record: Mapping[str, Any]) -> int | None:
        """Return the position of a record's case, or None if the plan has no such case."""
        method, prompt = self._methods.get(record["method"]), self._prompts.get(record["prompt"])
        if method is None or prompt is None:
            return None
        seed = self._seeds.get(record["seed"] - self._move * prompt)
        if seed is None or self._keys[record["method"]](self.prompts[prompt], record["seed"]) != record["key"]:
            return None
        seeds, prompts = len(self.request.seeds), len(self.prompts)
        within = seed * prompts + prompt if self.request.seeds_first else prompt * seeds + seed
        return method * seeds * prompts + within

    def _case(self, method: Method, index: int) -> Case:
        if self.request.seeds_first:
            seed, position = divmod(index, len(self.prompts))
        else:
            position, seed = divmod(index, len(self.request.seeds))
        prompt, number = self.prompts[position], self.request.seeds[seed] + self._move * position
        return Case(
            key=self._keys[method.name](prompt, number),
            method=method,
            prompt=prompt,
            kind=self.request.prompts[position].kind,
            seed=number,
            image=self._images[method.name, position].format(number),
        )

    @property
    def _move(self) -> int:
        return 0 if self.request.same_noise else MOVE

    @cached_property
    def _keys(self) -> dict[str, KeyMaker]:
        return {name: KeyMaker(settings) for name, settings in self.settings.items()}

    @cached_property
    def _images(self) -> dict[tuple[str, int], str]:
        return {
            (method.name, position): image_name(method.name, prompt.text)
            for method in self.methods
            for position, prompt in enumerate(self.prompts)
        }

    @cached_property
    def _methods(self) -> dict[str, int]:
        return {method.name: position for position, method in enumerate(self.methods)}

    @cached_property
    def _prompts(self) -> dict[str, int]:
        return {prompt.text: position for position, prompt in enumerate(self.prompts)}

    @cached_property
    def _seeds(self) -> dict[int, int]:
        return {seed: position for position, seed in enumerate(self.request.seeds)}


def make_plan(model: Model, request: Request, *, allow_unsuitable: bool = False) -> Plan:
    """Check `request` against the model, and return what there is to make. Reads and writes no image.

    `allow_unsuitable` makes remarks of prompts that a method cannot work on (no concept, for example), whose cases then
    fail. Raises `PromptError`, `SettingsError`, and `PipelineError` for a method that cannot work on this model or
    scheduler.
    """
    if not request.same_noise and max(request.seeds) >= MOVE:
        raise SettingsError(
            f"Expected seeds below {MOVE}, because those of each prompt are moved by {MOVE}, got {max(request.seeds)}. "
            "Take smaller seeds, or let all prompts have the same noise."
        )
    request = replace(request, prompts=tuple(dict.fromkeys(request.prompts)))
    if request.inpainting is not None:
        model = for_inpainting(model)
    elif is_inpainting(model.pipe):
        raise SettingsError("Expected an image and a mask for a model that inpaints images, got none.")
    sampling = choose_sampling(model, request.sampling, request.inpainting)
    methods, remarks = _fitting(model, sampling, request.methods)
    prompts = _parse(model.pipe, request.prompts, request.weights)
    if request.weights and sampling.negative_prompt is not None:
        take_weights(sampling.negative_prompt)  # refuses what is no weight
    remarks += world_remarks(model, request.scores)
    for method in methods:
        try:
            remarks += rehearse(model, prompts, [method])
        except UnsuitablePrompt as error:
            if not allow_unsuitable:
                raise
            remarks.append(f"{method.name}: {error} Such cases are recorded as failed.")
    return Plan(
        request=request,
        model=model,
        prompts=prompts,
        methods=methods,
        sampling=sampling,
        settings={method.name: settings_of(model, sampling, method) for method in methods},
        is_done=bytes(len(methods) * len(prompts) * len(request.seeds)),
        remarks=tuple(dict.fromkeys(remarks)),
    )


def load_scores(plan: Plan) -> None:
    """Let every score of a plan with something to do load what it asks, before the first image is made.

    Raises `ModelError` or `MissingExtra` for what is not there.
    """
    for score in plan.request.scores if plan.todo else ():
        try:
            score.load(plan.prompts[0])
        except (ModelError, MissingExtra):
            raise
        except Exception:
            continue


def _fitting(model: Model, sampling: Sampling, methods: Sequence[Method]) -> tuple[list[Method], list[str]]:
    """Return the methods as they can work in this run, and what there is to say of it."""
    if sampling.inpainting is None or sampling.inpainting.strength == 1:
        return list(methods), []
    denoiser = denoiser_of(model.pipe)
    late = [begun_late(method) for method in methods]
    changed = [
        method.name
        for method, now in zip(methods, late, strict=True)
        if method.identity(denoiser) != now.identity(denoiser)
    ]
    return late, [f"{name}: a strength below 1 does not begin as noise, so none is chosen." for name in changed]


def _parse(pipe: ImagePipeline, lines: Sequence[PromptLine], weights: bool) -> list[Prompt]:
    """Return the prompts; raises `PromptError`, or `SettingsError` for the same text with other marks or weights."""
    if not lines:
        raise PromptError('Expected a prompt, got none. Write one, such as "a cat and a blue clock".')
    written: dict[str, str] = {}
    prompts = []
    for line in lines:
        try:
            check_placeholders(line.prompt, pipe.tokenizer)
            prompt = parse_prompt(pipe, line.prompt, line.concepts, weights=weights)
        except PromptError as error:
            if len(lines) == 1:
                raise
            raise type(error)(f"In the prompt {line.prompt!r}: {error}") from error
        if prompt.text in written:
            raise SettingsError(
                f"Expected different prompts, got {written[prompt.text]!r} and {line.prompt!r}, which are the same "
                "text with other marks or weights. Make them in two runs with two folders."
            )
        written[prompt.text] = line.prompt
        prompts.append(prompt)
    return prompts
