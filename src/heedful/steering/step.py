"""What guidance does in one step of a run: move the latents, predict the noise there, read the maps of that pass."""

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from torch import Tensor, nn

from heedful.attention import Forward, Pipeline, Reader, Record, full_precision, parts_of, text_keys
from heedful.errors import SettingsError
from heedful.losses import at_least_tiny, loss_at, needs_self_attention
from heedful.prompts import Prompt
from heedful.shapes import Latents, PerItem
from heedful.steering import trigflow
from heedful.steering.call import Call, joined
from heedful.steering.initial_noise import InitialNoise, choose_noise
from heedful.steering.method import Method
from heedful.steering.passes import Passes, loss_of
from heedful.steering.past import Commit, Predict, input_scale
from heedful.steering.perturbed import unperturbed
from heedful.steering.policy import Policy
from heedful.steering.restart import Restart
from heedful.steering.restart_images import restart_images
from heedful.steering.run import Run
from heedful.steering.settings import Settings, step_at
from heedful.steering.trace import StepTrace
from heedful.steering.update import Move, move


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """What `heedful.guide` was asked for."""

    pipe: Pipeline
    denoiser: nn.Module
    prompts: tuple[Prompt, ...]
    """One per prompt, not per image."""
    method: Method
    settings: Settings
    policy: Policy | None
    """At which steps the scheduler keeps an update; None if nothing is ever moved."""
    seeds: Sequence[int] | None
    keep_maps: bool
    keep_self_attention: bool
    gradient_checkpointing: bool | None


class Steps:
    """The steps of runs that are guided in one way."""

    def __init__(self, task: Task, reader: Reader, forward: Forward):
        self._policy = task.policy
        self._method = task.method
        self._settings = task.settings
        self._keep_maps = task.keep_maps
        asked = task.settings.selection
        self._keep_self_attention = task.keep_maps and task.keep_self_attention
        self._restart_needs_it = asked is not None and needs_self_attention(asked.loss or task.method.loss)
        self._denoiser = task.denoiser
        self._reader = reader
        self._forward = forward
        self._passes = Passes(task.denoiser, reader, forward, task.method, task.gradient_checkpointing)
        self._has_warned = False

    def predict(self, call: Call, run: Run) -> Any:
        """Steer, if this is the first call of a step; predict the noise, and see the maps of that pass."""
        if not run.now.is_steered:
            self._steer(call, run)
        run.now.calls += 1
        run.trace.plain_rows += call.batch
        run.now.timestep, run.now.predict = call.time, self.predict
        if run.now.delta is not None:
            call = call.moved(run.now.delta)
        if run.now.is_update_due:
            return self._one_pass(call, run)
        if run.is_condition_alone and call.copies > 1:
            return joined(*[self._predict_alone(call, run)] * call.copies)
        if run.now.calls > 1:
            return self._predict(call, run)
        if run.difference.serves(call, run.step):
            return run.difference.whole(call, self._predict_alone(call, run))
        output = self._predict(call, run)
        run.difference.keep(call, run.step, output)
        return output

    def _predict_alone(self, call: Call, run: Run) -> Any:
        """Predict the noise of the conditional rows, and see their maps."""
        run.trace.spared_rows += call.batch - call.images
        alone = call.again(range(call.images), call.latents, call.time)
        with unperturbed(parts_of(self._denoiser)):
            return self._predict(alone, run)

    def _predict(self, call: Call, run: Run) -> Any:
        """Predict the noise, and see the maps of that pass if they are asked for."""
        # a later call of the same step asks something else of the same latents, such as a negative prompt
        forward = call.through(self._forward)
        with self._shifting(call, run):
            if run.now.seen is not None or not (self._keep_maps or run.needs_maps_later):
                return forward(**call.arguments)
            record = Record()
            needs_it = self._keep_self_attention or (self._restart_needs_it and run.needs_maps_to_restart)
            output = self._reader.run(forward, call.arguments, record, self_attention=needs_it)
        run.now.seen = call.conditional_maps(record.maps())
        return output

    def _shifting(self, call: Call, run: Run) -> AbstractContextManager[None]:
        """Return what moves the keys of the concepts during the first call of this step, if that is asked for."""
        shift = self._settings.key_shift
        if shift is None or run.now.calls > 1 or run.step >= step_at(shift.guided, run.steps):
            return nullcontext()

        def moved(site: str, keys: Tensor) -> Tensor:
            return shift.moved(site, keys, call.conditional_rows, run.prompts)

        return text_keys(self._denoiser, call.arguments, moved)

    def _one_pass(self, call: Call, run: Run) -> Any:
        """Predict the noise, and make the update of the step from the maps of that same pass.

        The conditional rows run by themselves, with gradients up to the last wanted site.
        """
        run.now.is_update_due = False
        before = call.latents
        found = self._passes.predict(call, run)
        run.now.seen = found.maps
        moved = move(
            before,
            lambda items, latents: (found.values[items], found.gradient[items]),
            run.direct,
            run.step_size,
            items=run.active,
            enough=self._settings.enough,
            longest=run.longest(before),
        )
        run.active = moved.active
        run.left = moved.latents
        self._commit(run, (moved.latents - before) / input_scale(call, run.scheduler))
        run.trace.steps[-1] = _entry(run.trace.steps[-1], run, moved)
        self._warn_of_skipped(run.step, moved.skipped.tolist())
        if run.is_condition_alone:
            run.trace.spared_rows += call.batch - call.images
            return joined(*[found.output] * call.copies)
        output = call.whole(found.output, call.predict_others(call.through(self._forward)))
        run.difference.keep(call, run.step, output)
        return output

    def _steer(self, call: Call, run: Run) -> None:
        """Make this step's update, if one is due and the scheduler will keep it."""
        run.now.is_steered = True
        entry = StepTrace(step=run.step, timestep=call.timestep)
        if self._policy is not None and self._policy.keeps_update(run.scheduler):
            target = run.take_target()
            before = latents = call.latents
            if self._settings.selection is not None and run.take_restart():
                latents = self._restart(call, run, self._settings.selection)
                run.past = None  # asked once, so later steps need not be remembered
            if run.step == 0 and self._settings.initial_noise is not None:
                latents = self._choose_noise(call, run, self._settings.initial_noise)
            if latents is not before:  # another noise is told in no prediction
                run.now.committed = (latents - before) / input_scale(call, run.scheduler)
            run.now.is_update_due = run.is_guided and target is None and self._settings.scheme != "exact"
            if not run.now.is_update_due and run.active and (run.is_guided or target is not None):
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
                    longest=run.longest(latents),
                )
                run.active = moved.active
                self._commit(run, (moved.latents - latents) / input_scale(call, run.scheduler))
                latents = moved.latents
                entry = _entry(entry, run, moved)
            if not run.now.is_update_due:
                run.left = latents
            if latents is not before:
                run.now.delta = latents - before
        run.trace.steps.append(entry)
        self._warn_of_skipped(run.step, entry.skipped)

    def _commit(self, run: Run, update: Latents) -> None:
        """Let the scheduler know of an update of this step, in its latents or in the prediction."""
        if self._settings.scheme == "prediction":
            run.now.told = update
        else:
            run.now.committed = update if run.now.committed is None else run.now.committed + update

    def _choose_noise(self, call: Call, run: Run, settings: InitialNoise) -> Latents:
        """Return the noise that each image is to begin with."""
        noise, run.trace.noises = choose_noise(
            settings, call.latents, run.seeds, self._passes.look_at_noise(call, run, settings)
        )
        self._warn_of_skipped(run.step, [trace.skipped > 0 for trace in run.trace.noises])
        return noise

    def _restart(self, call: Call, run: Run, settings: Restart) -> Latents:
        """Return the latents with which each image goes on: its own, or those of another noise that promises more."""
        loss = settings.loss or self._method.loss
        if loss is None:
            raise SettingsError("Expected a loss that predicts a failure, got none. Pass Restart(loss=...).")

        def failure(call: Call, run: Run) -> PerItem:
            maps = self._passes.maps(call, run, needs_self_attention(loss)) if run.step == 0 else run.previous
            assert maps is not None
            run.previous = maps
            with full_precision(call.latents.device.type):
                value = loss_of(loss_at(loss, max(run.step - 1, 0) / run.steps), call, maps, run.prompts)
                if not settings.relative:
                    return value
                first = maps if run.first is None else run.first  # a run of one step has no other
                return value / at_least_tiny(loss_of(loss_at(loss, 0.0), call, first, run.prompts))

        def predict(call: Call, run: Run, by: Predict) -> tuple[Tensor, Commit]:
            with unperturbed(parts_of(self._denoiser)):
                predicted = call.predicted(by(call, run))
            if trigflow.is_trigflow(run.scheduler):
                angle = trigflow.angle(call.timestep)
                predicted = trigflow.for_scheduler(run.scheduler, angle, call.latents, predicted)
            commit = partial(run.now.commit, call.layout.grid)
            run.advance(keep_maps=self._keep_maps)
            return predicted, commit

        new_run = partial(Run, steps=run.steps, method=self._method, settings=self._settings)
        latents = restart_images(settings, call, run, new_run, failure, predict)
        if run.step == 0:
            run.previous = None  # no step has been made
        return latents

    def _warn_of_skipped(self, step: int, skipped: Sequence[bool]) -> None:
        """Say once per block that an update was skipped."""
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
