"""`heedful.guide`: steer an unmodified pipeline while a `with` block is open.

This is what a user passes and gets; what happens inside a step is the room `steering`.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from heedful.attention import Pipeline, find_denoisers, one_block
from heedful.catalogue import DEFAULT_METHOD
from heedful.errors import PipelineError, SettingsError, UnsuitablePrompt
from heedful.guidance.methods import METHODS, find_method
from heedful.guidance.remarks import remarks_on
from heedful.losses import AnyLoss, Loss
from heedful.prompts import Prompt
from heedful.steering import (
    MapHistory,
    Method,
    Run,
    Settings,
    Steering,
    Task,
    Trace,
    admit,
    check_text,
    denoiser_of,
    has_clip_text,
    paragraph,
    parse_prompt,
)

Concepts = Sequence[str] | Sequence[Sequence[str]]
"""The concepts of every prompt, or a list of them for each."""


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

    def _head(self) -> str:
        """Return the method, and each prompt with its concepts."""
        prompts = (
            f"{prompt.text!r}: {', '.join(concept.name for concept in prompt.concepts) or 'no concepts'}"
            for prompt in self.prompts
        )
        return "\n".join([f"Guided by {self.method.name}", *prompts])

    def __repr__(self) -> str:
        run = self._steering.run
        return f"{self._head()}\n" + ("no run yet" if run is None else repr(run.trace))

    def _repr_html_(self) -> str:
        run = self._steering.run
        if run is None:
            return paragraph(f"{self._head()}\nno run yet")
        return paragraph(self._head()) + run.trace._repr_html_() + run.maps._repr_html_()


@one_block
def guide(
    pipe: Pipeline,
    prompt: str | Prompt | Sequence[str | Prompt],
    method: str | Method | AnyLoss = DEFAULT_METHOD,
    concepts: Concepts | None = None,
    *,
    settings: Settings | None = None,
    retry_seeds: Sequence[int] | None = None,
    keep_maps: bool = True,
    keep_self_attention: bool = False,
    gradient_checkpointing: bool | None = None,
) -> Iterator[Guided]:
    """Guide every image that `pipe` makes of `prompt` by `method`, while the block is open.

        with heedful.guide(pipe, "a cat and a blue clock") as guided:
            images = pipe("a cat and a blue clock", num_images_per_prompt=4).images
        guided.trace

    - `pipe`: any diffusers pipeline with a denoiser that heedful can read.
    - `prompt`: what the pipeline is called with; a list for several prompts, in the same order.
    - `method`: the name of a method, one of `heedful.methods`, or a loss.
    - `concepts`: found in each prompt unless given; a list for all prompts, or a list of lists.
    - `settings`: used instead of the method's own.
    - `retry_seeds`: one per image; they seed the further noises of methods that try several or restart, and random
      directions. The pipeline's own noise comes from its `generator`, as ever.
    - `keep_maps`: False keeps only the latest maps in memory.
    - `keep_self_attention`: the maps of a step also say how image positions look at each other, except at steps whose
      update is made in the pass that predicts the noise.
    - `gradient_checkpointing`: a gradient pass keeps the activations of one block at a time and computes them again on
      the way back: for small cards; the same gradients. By default, where offloading or casting takes weights away
      after use, so that those of one block are there at a time.

    Nothing is subclassed or patched for good: the instances of denoiser, scheduler and pipeline have their `forward`,
    `step`, `set_timesteps` and `encode_prompt` replaced. After the block, also after an error, all is as it was. Losses
    and updates are computed in float32 or wider, one gradient pass for all images, each independent of the others; an
    update that is not finite is skipped and counted in the trace.

    Raises `SettingsError` for a method that is not there, `UnsupportedPipeline`, `UnsupportedScheduler`,
    `UnsuitablePrompt` (no concept), and what `Prompt.parse` raises, before anything is touched; inside the block,
    `SettingsError` if prompts and images do not go together.
    """
    method = _method(method)
    denoiser = denoiser_of(pipe)
    settings = settings or method.settings_for(denoiser)
    prompts = _prompts(pipe, prompt, concepts)
    edit = settings.text_edit
    if edit is not None and edit.is_optional and (not has_clip_text(pipe) or any(each.weighted for each in prompts)):
        settings = replace(settings, text_edit=None)
    elif edit is not None:
        check_text(pipe)
    policy = admit(find_denoisers(pipe), pipe.scheduler, method, settings)
    _check_prompts(prompts, method, settings)
    for remark in remarks_on(pipe, prompts):
        warnings.warn(remark, UserWarning, stacklevel=4)  # where the block begins
    task = Task(
        pipe=pipe,
        denoiser=denoiser,
        prompts=prompts,
        method=method,
        settings=settings,
        policy=policy,
        seeds=retry_seeds,
        keep_maps=keep_maps,
        keep_self_attention=keep_self_attention,
        gradient_checkpointing=gradient_checkpointing,
    )
    steering = Steering(task)
    with steering.opened():
        yield Guided(prompts, method, settings, steering)


def _method(method: str | Method | AnyLoss) -> Method:
    """Return a method by its name, or a loss as a method; raises `SettingsError` for anything else."""
    if isinstance(method, str | Method):
        return find_method(method)
    if isinstance(method, type) or not callable(method):
        name = getattr(method, "__name__", None)
        raise SettingsError(
            f"Expected a method, its name, or a loss, got {f'the class {name}' if name else repr(method)}. "
            + (f"Make one of the class: {name}()." if name else f"The names are {', '.join(METHODS)}.")
        )
    return Method(name="custom", loss=method)


def _prompts(
    pipe: object, prompt: str | Prompt | Sequence[str | Prompt], concepts: Concepts | None
) -> tuple[Prompt, ...]:
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
    """Refuse prompts without concepts; say once which part of a method has nothing to do for one."""
    losses = [
        method.loss,
        *([settings.initial_noise.loss] if settings.initial_noise else []),
        *([settings.selection.loss] if settings.selection else []),
    ]
    losses = [loss for loss in losses if isinstance(loss, Loss)]
    for prompt in prompts:
        if losses and not prompt.concepts:
            raise UnsuitablePrompt(
                f"Expected concepts to guide by, got none in {prompt.text!r}. "
                f"Name them: concepts=[...], from the words {', '.join(prompt.words())}."
            )
    edit = settings.text_edit
    parts = [*losses, *([edit] if edit is not None and not edit.is_optional else [])]
    reasons = dict.fromkeys(reason for prompt in prompts for part in parts for reason in part.idle_for(prompt))
    for reason in reasons:
        warnings.warn(reason, UserWarning, stacklevel=5)  # where the block begins
