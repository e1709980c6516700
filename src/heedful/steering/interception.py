"""Two-point interception: the denoiser's forward, where latents are moved, and the scheduler's step, which must know.

A pipeline hands its scheduler latents of its own, so a move of the denoiser's input alone would be lost;
`scheduler.step` commits the same move. Everything between the two points (ControlNet, IP-Adapter, inpainting,
callbacks) is the pipeline's and stays as it is. What does not look like one prediction and one step of the images that
were counted is refused, whatever the method.
"""

import inspect
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from heedful.attention import Replaced, find_denoisers, replaced
from heedful.errors import PipelineError, PromptError, SettingsError, UnsupportedPipeline
from heedful.prompts import Prompt
from heedful.steering.batching import copies_in, is_joined
from heedful.steering.call import Call
from heedful.steering.checks import check_hooks, check_streams, guided_once
from heedful.steering.clip_text import ClipTexts
from heedful.steering.edited_text import EditedText
from heedful.steering.experts import Expert
from heedful.steering.past import Past
from heedful.steering.run import Run
from heedful.steering.step import Task
from heedful.steering.text_edit import TextEdit
from heedful.steering.texts import Encoded, is_empty_text, prompts_of_images
from heedful.steering.trigflow import is_trigflow


class Steering:
    """Replacements for a denoiser's `forward` and a scheduler's `step` and `set_timesteps`."""

    def __init__(self, task: Task):
        self.run: Run | None = None
        """The latest run; None before the first."""
        self._task = task
        self._pipe = task.pipe
        self._scheduler = task.pipe.scheduler
        self._prompts = task.prompts
        self._settings = task.settings
        self._is_new_run = True
        self._has_warned = self._has_warned_of_text = self._has_warned_of_edit = False
        self._encoded: list[Encoded] = []
        """What the pipeline has encoded for the run to come."""
        self._has_encoded = False
        """Whether it has encoded anything in this block."""
        self._is_doubled: bool | None = None
        """Whether it asked for unconditional embeddings; None if it did not say."""
        self._experts = [Expert(task, denoiser, self._begin) for denoiser in find_denoisers(task.pipe)]
        self._layout = self._experts[0].reader.layout
        self._channels = self._layout.latent_channels(self._experts[0].denoiser)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Let the pipeline call the replacements while the block is open.

        Raises `PipelineError` if another block guides its denoiser or scheduler.
        """
        with ExitStack() as stack:

            def opened(owner: Any, method: str, replacement: Any) -> Replaced:
                return stack.enter_context(replaced(owner, method, replacement))

            stack.enter_context(guided_once([expert.denoiser for expert in self._experts], self._scheduler))
            for expert in self._experts:
                stack.enter_context(expert.opened())
            self._step = opened(self._scheduler, "step", self.step)
            self._set_timesteps = opened(self._scheduler, "set_timesteps", self.set_timesteps)
            if hasattr(self._pipe, "encode_prompt"):
                self._encode_prompt = opened(self._pipe, "encode_prompt", self.encode_prompt)
            yield

    def encode_prompt(self, *args: Any, **kwargs: Any) -> Any:
        """Encode the prompt, and remember which one it was."""
        self._check_parts()
        encode = self._encode_prompt.original
        bound = inspect.signature(encode).bind(*args, **kwargs)
        bound.apply_defaults()
        found = Encoded.of(self._layout, bound.arguments)  # before Z-Image writes into the list of prompts
        encoded = encode(*args, **kwargs)
        self._encoded.append(found)
        self._has_encoded = True
        self._is_doubled = found.is_guided
        return encoded

    def set_timesteps(self, *args: Any, **kwargs: Any) -> Any:
        """Set the timesteps: with the next call of the denoiser, a new run begins."""
        self._check_parts()
        for expert in self._experts:
            expert.put_back()
        self._is_new_run = True
        return self._set_timesteps.original(*args, **kwargs)

    def step(self, *args: Any, **kwargs: Any) -> Any:
        """Step from where the noise was predicted, not from where the pipeline believes the latents to be."""
        run, step = self.run, self._step.original
        if run is None or self._is_new_run or not run.now.is_steered:
            raise PipelineError(
                "Expected a call of the guided denoiser before each step of its scheduler, got a step without one. "
                "Whatever makes this step does so with another denoiser, or takes its prediction from a cache: change "
                "the parts of a pipeline before the block, and call no other pipeline with this scheduler in it."
            )
        bound = inspect.signature(step).bind(*args, **kwargs)
        latents: Tensor = bound.arguments["sample"]
        if latents.shape[0] != len(run.prompts):
            raise UnsupportedPipeline(
                f"Expected a step of {len(run.prompts)} images, as many as the denoiser's batch seemed to hold, got "
                f"one of {latents.shape[0]}. This pipeline lays out its batch in a way that heedful does not know. In "
                "a loop of your own, say do_classifier_free_guidance=True or False next to the denoiser."
            )
        if run.past is not None:
            run.past.append(run.now.timestep, bound.arguments, run.now.predict)
        bound.arguments.update(run.now.commit(self._layout.grid, self._scheduler, dict(bound.arguments)))
        run.advance(keep_maps=self._task.keep_maps)
        return step(*bound.args, **bound.kwargs)

    def _check_parts(self) -> None:
        """Raise `PipelineError` if the pipeline has another denoiser or scheduler than when the block began."""
        denoisers = [expert.denoiser for expert in self._experts]
        for name, was, now in (
            ("scheduler", [self._scheduler], [self._pipe.scheduler]),
            ("denoiser", denoisers, find_denoisers(self._pipe)),
        ):
            if len(was) != len(now) or any(one is not other for one, other in zip(was, now, strict=True)):
                raise PipelineError(
                    f"Expected the {name} that the pipeline had when heedful.guide began, got another. "
                    f"Set it before the block."
                )

    @property
    def _needs_gradient(self) -> bool:
        """Whether any pass goes back to the latents."""
        return self._task.policy is not None and self._settings.needs_gradient

    def _begin(self, arguments: dict[str, Any], positional: int) -> tuple[Call, Run]:
        """Return the denoiser's call and the run that it belongs to."""
        self._check_parts()
        if self._needs_gradient and torch.is_inference_mode_enabled():
            raise PipelineError(
                "Expected torch.no_grad, got torch.inference_mode, which forbids gradients. Leave it out, or pass "
                'settings with scheme="select", which needs none.'
            )
        layout, run = self._layout, self.run
        is_new = run is None or self._is_new_run or run.is_over
        if run is None or is_new or not run.now.is_steered:
            images = None if run is None or is_new else len(run.prompts)
            copies, condition = copies_in(self._pipe, layout, arguments, len(self._prompts), self._is_doubled, images)
        else:  # a later call of the same step need not have the copies of the first
            copies, condition = layout.rows(arguments) // len(run.prompts), -1
        call = Call(layout, arguments, copies, self._channels, condition, positional, is_joined(self._pipe))
        if run is None or is_new:
            run = self.run = self._new_run(call)
            self._is_new_run = False
        elif run.now.is_steered and call.timestep != run.trace.steps[-1].timestep:
            raise PipelineError(
                f"Expected a step of the guided scheduler after timestep {run.trace.steps[-1].timestep:g}, got a call "
                f"of the denoiser at timestep {call.timestep:g}. Whatever calls it has another scheduler: give it a "
                "denoiser of its own, or guide the pipeline that is called."
            )
        return call if run.text is None else run.text.put(call, is_first=not run.now.is_steered), run

    def _new_run(self, call: Call) -> Run:
        """Return a run that begins with `call`: image-to-image begins in the middle of the scheduler's timesteps."""
        for expert in self._experts:
            check_hooks(expert.denoiser)
            if self._needs_gradient:
                check_streams(expert.denoiser)
        encoded, self._encoded = self._encoded, []
        self._warn_of_unseen_text()
        prompts = call.placed(prompts_of_images(self._pipe, call.layout, self._prompts, encoded, call.images))
        self._check_condition(call)
        seeds = list(range(call.images)) if self._task.seeds is None else list(self._task.seeds)
        if len(seeds) != call.images:
            raise SettingsError(f"Expected one seed per image, got {len(seeds)} seeds for {call.images} images.")
        timesteps = self._scheduler.timesteps.tolist()
        if is_trigflow(self._scheduler):
            timesteps.pop()  # which is where the last step ends
        first = getattr(self._scheduler, "begin_index", None)
        if first is None:
            first = timesteps.index(call.timestep) if call.timestep in timesteps else 0
        is_restartable = self._can_restart(call, first)
        if first > 0 and (self._settings.initial_noise is not None or is_restartable):
            raise SettingsError(
                "Expected a run that begins with noise, for which an initial noise can be chosen, got one that begins "
                f"at step {first} of {len(timesteps)}. For image-to-image, pass settings with initial_noise=None, "
                'restart=None and another scheme than "select".'
            )
        run = Run(
            prompts,
            seeds,
            self._scheduler,
            steps=len(timesteps) - first,
            method=self._task.method,
            settings=self._settings,
        )
        if is_restartable:
            run.past = Past(self._scheduler)
        run.text = self._edited_text(call, prompts, encoded)
        if run.text is not None:
            run.trace.text_shift = run.text.shift
        return run

    def _edited_text(self, call: Call, prompts: Sequence[Prompt], encoded: Sequence[Encoded]) -> EditedText | None:
        """Return the text of a run whose first call is `call`, edited; None if it is left as it is."""
        edit = self._settings.text_edit
        if edit is None or (edit.is_optional and not (encoded and encoded[0].texts)):
            return None
        try:
            return self._edited_by(edit, call, prompts, encoded)
        except (PromptError, SettingsError) as reason:
            if not edit.is_optional:
                raise
            if not self._has_warned_of_edit:
                self._has_warned_of_edit = True
                warnings.warn(f"The text of this run stays as it is. {reason}", UserWarning, stacklevel=2)
            return None

    def _edited_by(
        self, edit: TextEdit, call: Call, prompts: Sequence[Prompt], encoded: Sequence[Encoded]
    ) -> EditedText:
        """Return the text of a run, edited.

        Raises `PromptError` where two text encoders have read two texts.
        """
        first = next(iter(encoded), None)
        if first is not None and not first.is_one_text:
            raise PromptError(
                "Expected one text for all text encoders where it is edited, got another for the second one. Leave "
                "prompt_2 out, or take a method without an edit of the text."
            )
        manner = {} if first is None else first.manner
        return EditedText(edit, call, prompts, ClipTexts(self._pipe, self._encode_prompt.original, manner))

    def _can_restart(self, call: Call, first: int) -> bool:
        """Return whether images of a run may restart; says so where they might have, but are made as they are."""
        restart = self._settings.selection
        if restart is None or not restart.is_optional or not (first or _residuals(call)):
            return restart is not None
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(
                "No image of this run restarts with another noise, as the method would have it: "
                + ("the run does not begin with noise." if first else "a ControlNet's residuals belong to one noise."),
                UserWarning,
                stacklevel=2,
            )
        return False

    def _warn_of_unseen_text(self) -> None:
        """Say once if the text of a run was not seen where it is encoded, so that nothing tells which one it is."""
        if self._has_encoded or self._has_warned_of_text or not hasattr(self._pipe, "encode_prompt"):
            return
        self._has_warned_of_text = True
        warnings.warn(
            f"The {type(self._pipe).__name__} that is guided has encoded no prompt in this block, so nothing tells "
            "whether the images are of the guided one. Call that pipeline, not a copy with the same parts; in a loop "
            "of your own, encode the prompt inside the block. With embeddings that were made elsewhere, see that they "
            "are of the guided prompt.",
            UserWarning,
            stacklevel=2,
        )

    def _check_condition(self, call: Call) -> None:
        """Raise an error if `call`, the first of a run, cannot be one with the condition, or cannot be made again."""
        restart = self._settings.selection
        if restart is not None and not restart.is_optional and _residuals(call):
            raise SettingsError(
                "Expected steps that can be made again from another noise, got steps with the residuals of a "
                "ControlNet, which belong to the noise that it saw. Pass settings with restart=None, and another "
                'scheme than "select".'
            )
        if hasattr(self._pipe, "encode_prompt"):
            return
        text = call.conditional(range(call.images), call.latents)[call.layout.text[0]]
        if isinstance(text, Tensor) and is_empty_text(self._pipe, text):
            raise PipelineError(
                "Expected the prediction with the prompt first, got the one with the empty prompt. In a loop of your "
                "own, ask for the conditional prediction first in each step, or for both in one call, the "
                "unconditional rows before the conditional ones."
            )


def _residuals(call: Call) -> list[str]:
    """Return which arguments of a call hold what a ControlNet computed for it."""
    return [name for name in call.layout.residuals if call.arguments.get(name) is not None]
