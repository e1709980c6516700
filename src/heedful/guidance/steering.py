"""Two-point interception: the denoiser's forward, where latents are moved, and the scheduler's step, which must know.

Knows the order of things in a denoising step. A pipeline hands its scheduler latents of its own, so a move of the
denoiser's input alone would be lost; `scheduler.step` commits the same move. Everything between the two points
(ControlNet, IP-Adapter, inpainting, callbacks) is the pipeline's and stays as it is.
"""

import inspect
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from heedful.attention import Reader, Record, full_precision
from heedful.errors import PipelineError, SettingsError
from heedful.guidance.begin_again import begin_again, input_scale
from heedful.guidance.call import Call, copies_in, joined, prediction
from heedful.guidance.initial_noise import InitialNoise, choose_noise
from heedful.guidance.methods.method import Method
from heedful.guidance.passes import Passes
from heedful.guidance.policy import Policy
from heedful.guidance.restart import Past, Restart
from heedful.guidance.run import Run
from heedful.guidance.settings import Settings
from heedful.guidance.trace import StepTrace
from heedful.guidance.update import Move, move
from heedful.prompts import Prompt
from heedful.shapes import Latents, PerItem


class Steering:
    """Replacements for a denoiser's `forward` and a scheduler's `step` and `set_timesteps`."""

    def __init__(
        self,
        pipe: Any,
        denoiser: Any,
        prompts: Sequence[Prompt],
        method: Method,
        settings: Settings,
        policy: Policy | None,
        seeds: Sequence[int] | None,
        keep_maps: bool,
        keep_self_attention: bool,
    ):
        self.run: Run | None = None
        """The latest run; None before the first."""
        self.scheduler = pipe.scheduler
        self._is_new_run = True
        self._has_warned = False
        self._pipe = pipe
        self._denoiser = denoiser
        self._prompts = prompts
        self._method = method
        self._settings = settings
        self._policy = policy
        self._seeds = seeds
        self._keep_maps = keep_maps
        self._keep_self_attention = keep_maps and keep_self_attention
        self._reader = Reader(denoiser, settings.sites)
        self._forward = denoiser.forward
        self._passes = Passes(self._reader, self._forward, method)
        # PixArt predicts a variance beside the noise; an inpainting denoiser takes more than latents
        channels = denoiser.config.in_channels
        self._channels = min(channels, denoiser.config.out_channels or channels)
        self._step = self.scheduler.step
        self._set_timesteps = self.scheduler.set_timesteps

    def set_timesteps(self, *args: Any, **kwargs: Any) -> Any:
        """Set the timesteps: with the next call of the denoiser, a new run begins."""
        self._is_new_run = True
        return self._set_timesteps(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Move the latents where the method says so, predict the noise there, and read the maps of that pass."""
        call, run = self._begin(self._reader.arguments(*args, **kwargs))
        return self._predict(call, run)

    def _predict(self, call: Call, run: Run) -> Any:
        """Steer, if this is the first call of a step; predict the noise, and see the maps of that pass."""
        if not run.is_steered:
            self._steer(call, run)
        run.trace.plain_rows += call.batch
        run.told = call.arguments["timestep"]
        if run.delta is not None:
            call = call.moved(run.delta)
        if run.is_update_due:
            return self._one_pass(call, run)
        # a later call of the same step asks something else of the same latents, such as a negative prompt
        if run.seen is not None or not (self._keep_maps or run.needs_maps_later):
            return self._forward(**call.arguments)
        record = Record()
        output = self._reader.run(self._forward, call.arguments, record, self_attention=self._keep_self_attention)
        run.seen = call.conditional_maps(record.maps())
        return output

    def _one_pass(self, call: Call, run: Run) -> Any:
        """Predict the noise, and make the update of the step from the maps of that same pass.

        The conditional rows run by themselves, with gradients up to the last wanted site.
        """
        run.is_update_due = False
        before = call.latents
        found = self._passes.predict(call, run)
        run.seen = found.maps
        moved = move(
            before,
            lambda items, latents: (found.values[items], found.gradient[items]),
            run.direct,
            run.step_size,
            items=run.active,
            enough=self._settings.enough,
        )
        run.active = moved.active
        update = moved.latents - before
        run.committed = update / input_scale(call, run.scheduler) + (0 if run.committed is None else run.committed)
        run.trace.steps[-1] = _entry(run.trace.steps[-1], run, moved)
        self._warn_of_skipped(run.step, moved.skipped.tolist())
        if self._settings.condition_alone:
            run.trace.spared_rows += call.batch - call.images
            return joined(*[found.output] * call.copies)
        others = call.unconditional()
        return call.whole(found.output, None if others is None else self._forward(**others))

    def step(self, *args: Any, **kwargs: Any) -> Any:
        """Step from where the noise was predicted, not from where the pipeline believes the latents to be."""
        run = self.run
        if run is None or self._is_new_run:
            return self._step(*args, **kwargs)
        if run.committed is not None or run.past is not None:
            bound = inspect.signature(self._step).bind(*args, **kwargs)
            if run.past is not None:
                run.past.append(run.told, bound.arguments)
            if run.committed is not None:
                latents: Tensor = bound.arguments["sample"]
                committed = self._reader.layout.pack(run.committed)
                bound.arguments["sample"] = (latents.to(committed.dtype) + committed).to(latents.dtype)
            args, kwargs = bound.args, bound.kwargs
        run.advance(keep_maps=self._keep_maps)
        return self._step(*args, **kwargs)

    def _begin(self, arguments: dict[str, Any]) -> tuple[Call, Run]:
        """Return the denoiser's call and the run that it belongs to."""
        if self._pipe.scheduler is not self.scheduler:
            raise PipelineError(
                "Expected the scheduler that the pipeline had when heedful.guide began, got another. "
                "Set pipe.scheduler before the block."
            )
        if torch.is_inference_mode_enabled():
            raise PipelineError(
                "Expected torch.no_grad, got torch.inference_mode, which forbids gradients. Leave it out."
            )
        layout, run = self._reader.layout, self.run
        is_new = run is None or self._is_new_run or run.is_over
        if run is None or is_new or not run.is_steered:
            copies, condition = copies_in(self._pipe, layout, arguments, len(self._prompts))
        else:  # a later call of the same step need not have the copies of the first
            copies, condition = arguments[layout.latents].shape[0] // len(run.prompts), -1
        call = Call(layout, arguments, copies, self._channels, condition)
        if run is None or is_new:
            run = self.run = self._new_run(call)
            self._is_new_run = False
        return call, run

    def _new_run(self, call: Call) -> Run:
        """Return a run that begins with `call`: image-to-image begins in the middle of the scheduler's timesteps."""
        per_prompt = call.images // len(self._prompts)
        prompts = [prompt for prompt in self._prompts for _ in range(per_prompt)]
        seeds = list(range(call.images)) if self._seeds is None else list(self._seeds)
        if len(seeds) != call.images:
            raise SettingsError(f"Expected one seed per image, got {len(seeds)} seeds for {call.images} images.")
        timesteps = self.scheduler.timesteps.tolist()
        first = getattr(self.scheduler, "begin_index", None)
        if first is None:
            first = timesteps.index(call.timestep) if call.timestep in timesteps else 0
        if first > 0 and not (self._settings.initial_noise is None and self._settings.restart is None):
            raise SettingsError(
                "Expected a run that begins with noise, for which an initial noise can be chosen, got one that begins "
                f"at step {first} of {len(timesteps)}. For image-to-image, pass settings with initial_noise=None and "
                "restart=None."
            )
        run = Run(
            prompts, seeds, self.scheduler, steps=len(timesteps) - first, method=self._method, settings=self._settings
        )
        if self._settings.restart is not None:
            run.past = Past(self.scheduler)
        return run

    def _steer(self, call: Call, run: Run) -> None:
        """Make this step's update, if one is due and the scheduler will keep it."""
        run.is_steered = True
        entry = StepTrace(step=run.step, timestep=call.timestep)
        if self._policy is not None and self._policy.keeps_update(run.scheduler):
            target = run.take_target()
            before = latents = call.latents
            if self._settings.restart is not None and run.take_restart():
                latents = self._restart(call, run, self._settings.restart)
                run.past = None  # asked once, so later steps need not be remembered
            if run.step == 0 and self._settings.initial_noise is not None:
                latents = self._choose_noise(call, run, self._settings.initial_noise)
            run.is_update_due = run.is_guided and target is None and self._settings.scheme == "one-pass"
            if not run.is_update_due and run.active and (run.is_guided or target is not None):
                moved = move(
                    latents,
                    self._passes.look(call, run),
                    run.direct,
                    run.step_size,
                    update=run.is_guided,
                    target=target,
                    max_refinements=self._settings.max_refinements,
                    items=run.active,
                    enough=self._settings.enough,
                )
                run.active = moved.active
                latents = moved.latents
                entry = _entry(entry, run, moved)
            if latents is not before:
                run.delta = latents - before
                run.committed = run.delta / input_scale(call, run.scheduler)
        run.trace.steps.append(entry)
        self._warn_of_skipped(run.step, entry.skipped)

    def _choose_noise(self, call: Call, run: Run, settings: InitialNoise) -> Latents:
        """Return the noise that each image is to begin with."""
        noise, run.trace.noises = choose_noise(
            settings, call.latents, run.seeds, self._passes.look_at_noise(call, run, settings)
        )
        self._warn_of_skipped(run.step, [trace.skipped > 0 for trace in run.trace.noises])
        return noise

    def _restart(self, call: Call, run: Run, settings: Restart) -> Latents:
        """Return the latents with which each image goes on: its own, or those of another noise that promises more."""

        def foretell(run: Run) -> PerItem:
            assert run.previous is not None
            loss = settings.loss or self._method.loss
            if loss is None:
                raise SettingsError("Expected a loss that foretells a failure, got none. Pass Restart(loss=...).")
            with full_precision(call.latents.device.type):
                return loss(run.previous, run.prompts, None)

        def predict(call: Call, run: Run) -> tuple[Tensor, Tensor | None]:
            predicted = prediction(self._predict(call, run))
            update = None if run.committed is None else call.layout.pack(run.committed)
            run.advance(keep_maps=self._keep_maps)
            return (predicted if call.layout.packed_size else predicted[:, : self._channels]), update

        again = partial(Run, steps=run.steps, method=self._method, settings=self._settings)
        return begin_again(settings, call, run, again, foretell, predict)

    def _warn_of_skipped(self, step: int, skipped: Sequence[bool]) -> None:
        """Say once per block that an update was left out."""
        if any(skipped) and not self._has_warned:
            self._has_warned = True
            images = ", ".join(str(image) for image, is_skipped in enumerate(skipped) if is_skipped)
            warnings.warn(
                f"The gradient of image {images} at step {step} is not finite, so its latents stay as they are. "
                "guided.trace counts such updates. Use float32 or a smaller step size if there are many.",
                RuntimeWarning,
                stacklevel=2,
            )


def _entry(entry: StepTrace, run: Run, moved: Move) -> StepTrace:
    """Return `entry` with what an update did."""
    return replace(
        entry,
        step_size=run.step_size,
        loss=tuple(moved.loss.tolist()),
        refinements=tuple(moved.refinements.tolist()),
        skipped=tuple(moved.skipped.tolist()),
    )
