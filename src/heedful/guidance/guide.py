"""`heedful.guide`: steer an unmodified pipeline while a `with` block is open.

Knows what a user passes and gets. Knows nothing of what happens inside a step (`steering`).
"""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from heedful.attention import find_denoiser, layout_of, one_block, uncompiled
from heedful.errors import PipelineError, SettingsError, UnsuitablePrompt, UnsupportedPipeline
from heedful.guidance.batching import check_rows
from heedful.guidance.checks import check_hooks, check_weights
from heedful.guidance.history import MapHistory
from heedful.guidance.methods import Method
from heedful.guidance.policy import policy_of
from heedful.guidance.run import Run
from heedful.guidance.settings import Settings
from heedful.guidance.steering import Steering
from heedful.guidance.step import Task
from heedful.guidance.texts import parse_prompt
from heedful.guidance.trace import Trace
from heedful.losses import AnyLoss, Loss
from heedful.prompts import Prompt

Concepts = Sequence[str] | Sequence[Sequence[str]]
"""Concepts of every prompt, or a list of them for each."""


class Guided:
    """What `heedful.guide` hands over: what is asked for, and after a call of the pipeline, what happened.

    If the pipeline is called several times in the block, trace and maps are those of the latest call.
    """

    def __init__(self, prompts: tuple[Prompt, ...], method: Method, settings: Settings, steering: Steering):
        self.prompts = prompts
        """One per prompt, not per image."""
        self.method = method
        self.settings = settings
        """The method's, for this denoiser, unless others were passed."""
        self._steering = steering

    @property
    def trace(self) -> Trace:
        """Loss, step size and refinements by step and image, and what they cost."""
        return self._run.trace

    @property
    def maps(self) -> MapHistory:
        """The maps by step: `guided.maps["cat"]` is (batch, step, height, width)."""
        return self._run.maps

    @property
    def _run(self) -> Run:
        if self._steering.run is None:
            raise PipelineError("Expected a call of the pipeline inside the block of heedful.guide, got none yet.")
        return self._steering.run

    def __repr__(self) -> str:
        run = self._steering.run
        found = dict.fromkeys(self.prompts if run is None else run.prompts)
        concepts = "; ".join(", ".join(concept.name for concept in prompt.concepts) or "none" for prompt in found)
        state = "no run yet" if run is None else repr(run.trace)
        return f"Guided by {self.method.name}: {state}\nconcepts: {concepts}"


@one_block
def guide(
    pipe: Any,
    prompt: str | Prompt | Sequence[str | Prompt],
    method: Method | AnyLoss,
    concepts: Concepts | None = None,
    *,
    settings: Settings | None = None,
    seeds: Sequence[int] | None = None,
    keep_maps: bool = True,
    checkpoint: bool = False,
    keep_self_attention: bool = False,
) -> Iterator[Guided]:
    """Guide every image that `pipe` makes of `prompt` by `method`, while the block is open.

    `prompt` is what the pipeline is called with; a list for several prompts, in the same order. `concepts` are found in
    each prompt unless given: a list for all prompts, or a list of lists. `method` is one of `heedful.methods`, or a
    loss. `settings` replace the method's own. `seeds`, one per image, are those of random directions, and of further
    noises where a method tries several or begins again.
    With `keep_maps=False`, only the latest maps stay in memory. With `keep_self_attention`, the maps of a step also say
    how image positions look at each other, except at steps whose update is made in the pass that predicts the noise.
    With `checkpoint`, a gradient pass keeps the activations of one block at a time and computes them again on the way
    back: for small cards; the same gradients.

    Nothing is subclassed or patched for good: the instances of denoiser, scheduler and pipeline have their `forward`,
    `step`, `set_timesteps` and `encode_prompt` replaced. After the block, also after an error, all is as it was. Losses
    and updates are computed in float32 or wider, one gradient pass for all images, each independent of the others; an
    update that is not finite is left out and counted in the trace.

    Raises `UnsupportedPipeline`, `UnsupportedScheduler`, `UnsuitablePrompt` (no concept), and what `Prompt.parse`
    raises, before anything is touched; inside the block, `SettingsError` if prompts and images do not go together.

        with heedful.guide(pipe, "a cat and a blue clock", heedful.methods.A_STAR) as guided:
            images = pipe("a cat and a blue clock", num_images_per_prompt=4).images
        guided.trace
    """
    if not isinstance(method, Method):
        method = Method(name="custom", loss=method)
    denoiser = denoiser_of(pipe)
    settings = settings or method.settings_for(denoiser)
    is_moved = not (method.loss is None and settings.initial_noise is None and settings.restart is None)
    policy = policy_of(pipe.scheduler) if is_moved else None
    if is_moved:
        check_weights(denoiser)
    prompts = _prompts(pipe, prompt, concepts)
    _check_prompts(prompts, method, settings)
    task = Task(
        pipe=pipe,
        denoiser=denoiser,
        prompts=prompts,
        method=method,
        settings=settings,
        policy=policy,
        seeds=seeds,
        keep_maps=keep_maps,
        keep_self_attention=keep_self_attention,
        gradient_checkpointing=checkpoint,
    )
    steering = Steering(task)
    with steering.opened():
        yield Guided(prompts, method, settings, steering)


def denoiser_of(pipe: Any) -> nn.Module:
    """Return the denoiser of a pipeline; raises `UnsupportedPipeline` if it has none that heedful can read."""
    denoiser = find_denoiser(pipe)
    if denoiser is None or getattr(pipe, "scheduler", None) is None:
        raise UnsupportedPipeline(
            f"Expected a diffusers pipeline with a denoiser and a scheduler, got {type(pipe).__name__}."
        )
    if not layout_of(denoiser).find_sites(uncompiled(denoiser)):
        raise UnsupportedPipeline(
            f"Expected a denoiser that looks at text in attention of its own, got the {type(denoiser).__name__} of "
            f"{type(pipe).__name__}, which has no such attention. Use a pipeline of docs/pipelines.md."
        )
    check_rows(pipe)
    check_hooks(denoiser)
    return denoiser


def _prompts(pipe: Any, prompt: str | Prompt | Sequence[str | Prompt], concepts: Concepts | None) -> tuple[Prompt, ...]:
    """Return the prompts with their concepts."""
    texts = [prompt] if isinstance(prompt, str | Prompt) else list(prompt)
    if not texts:
        raise SettingsError("Expected at least one prompt, got an empty list.")
    each: list[Any] = [concepts] * len(texts)
    if concepts is not None and not isinstance(concepts, str) and not all(isinstance(name, str) for name in concepts):
        each = list(concepts)
    if len(each) != len(texts):
        raise SettingsError(
            f"Expected a list of concepts for each of {len(texts)} prompts, got {len(each)}. "
            "Pass one list for all prompts, or one for each."
        )
    pairs = zip(texts, each, strict=True)
    return tuple(text if isinstance(text, Prompt) else parse_prompt(pipe, text, names) for text, names in pairs)


def _check_prompts(prompts: Sequence[Prompt], method: Method, settings: Settings) -> None:
    """Refuse prompts without concepts; say once which part of a loss has nothing to do for a prompt."""
    losses = [
        method.loss,
        *([settings.initial_noise.loss] if settings.initial_noise else []),
        *([settings.restart.loss] if settings.restart else []),
    ]
    losses = [loss for loss in losses if isinstance(loss, Loss)]
    if not losses:
        return
    for prompt in prompts:
        if not prompt.concepts:
            raise UnsuitablePrompt(
                f"Expected concepts to guide by, got none in {prompt.text!r}. "
                f"Name them: concepts=[...], from the words {', '.join(prompt.words())}."
            )
    reasons = dict.fromkeys(reason for prompt in prompts for loss in losses for reason in loss.idle_for(prompt))
    for reason in reasons:
        warnings.warn(reason, UserWarning, stacklevel=5)  # where the block begins
