"""The passes of the denoiser that guidance asks for: what a loss says of some images, and which way is down.

Each pass counts the rows that it costs.
"""

import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from torch import Tensor

from heedful.attention import Forward, Maps, Reader, Record, frozen, keeping_weights, parts_of, quantised, recomputing
from heedful.errors import SettingsError
from heedful.losses import AnyLoss, Loss, loss_at, needs_self_attention
from heedful.prompts import Prompt
from heedful.shapes import Latents, PerItem
from heedful.steering.call import Call
from heedful.steering.checks import brings_weights, takes_weights_away
from heedful.steering.gradient import Differentiated, differentiate
from heedful.steering.initial_noise import InitialNoise, Scores
from heedful.steering.method import Method
from heedful.steering.perturbed import unperturbed
from heedful.steering.run import Run
from heedful.steering.update import Look

_PATIENCE = 2
"""Passes without a gradient after which a loss is taken for one that never has any."""


class Passes:
    """Gradient passes of one denoiser for one method; in them alone, parameters take no gradient."""

    def __init__(
        self, denoiser: Any, reader: Reader, forward: Forward, method: Method, gradient_checkpointing: bool | None
    ):
        self._denoiser = denoiser
        self._reader = reader
        self._forward = forward
        self._method = method
        self._recomputes = gradient_checkpointing
        self._idle: int | None = 0  # passes so far whose loss had no gradient; None as soon as one had

    def look(self, call: Call, run: Run) -> Look:
        """Return a function that reads loss and gradient of some images of `call` at any latents."""
        needed = needs_self_attention(self._method.loss)

        def look(items: Sequence[int], latents: Latents) -> tuple[PerItem, Latents]:
            return self._gradient(call, run, items, latents, lambda maps: self._loss(maps, call, run, items), needed)

        return look

    def look_at_noise(
        self, call: Call, run: Run, settings: InitialNoise
    ) -> Callable[[Sequence[int], Latents], tuple[Scores, Latents]]:
        """Return a function that reads the scores of some initial noises, and the gradient of their sum."""

        def look(items: Sequence[int], latents: Latents) -> tuple[Scores, Latents]:
            prompts = [run.prompts[item] for item in items]
            return self._gradient(
                call, run, items, latents, lambda maps: settings(maps, prompts), settings.needs_self_attention
            )

        return look

    def maps(self, call: Call, run: Run, self_attention: bool) -> Maps:
        """Read the maps of the images of `call`, without gradients, by a pass that ends at the last site."""
        items = list(range(call.images))
        run.trace.look_rows += len(items)
        record = Record()
        with unperturbed(parts_of(self._denoiser)):
            self._reader.run(
                call.through(self._forward),
                call.conditional(items, call.latents),
                record,
                after_last="stop",
                self_attention=self_attention,
            )
        return record.maps().detach()

    def predict(self, call: Call, run: Run) -> Differentiated:
        """Predict the noise of the conditional rows, and read loss and gradient from the same pass."""
        items = list(range(call.images))
        run.trace.backward_rows += len(items)
        needed = needs_self_attention(self._method.loss)
        found = self._differentiate(
            call, items, call.latents, lambda maps: self._loss(maps, call, run, items), needed, predict=True
        )
        self._count(found.has_gradient, run)
        return found

    def _gradient(
        self,
        call: Call,
        run: Run,
        items: Sequence[int],
        latents: Latents,
        measure: Callable[[Maps], Tensor],
        self_attention: bool,
    ) -> tuple[Tensor, Latents]:
        """Return what `measure` says of the maps of `items` at `latents`, and the gradient of its sum."""
        run.trace.gradient_rows += len(items)
        found = self._differentiate(call, items, latents, measure, self_attention)
        self._count(found.has_gradient, run)
        return found.values, found.gradient

    def _differentiate(
        self,
        call: Call,
        items: Sequence[int],
        latents: Latents,
        measure: Callable[[Maps], Tensor],
        self_attention: bool,
        predict: bool = False,
    ) -> Differentiated:
        parts = parts_of(self._denoiser)
        moves = takes_weights_away(parts)  # which may begin inside the block
        recomputes = moves if self._recomputes is None else self._recomputes
        with ExitStack() as stack:
            stack.enter_context(frozen(parts))
            stack.enter_context(recomputing(parts, recomputes, brings_weights=brings_weights if moves else None))
            stack.enter_context(quantised(parts))
            stack.enter_context(unperturbed(parts))
            if moves:
                stack.enter_context(keeping_weights())
            return differentiate(
                self._reader,
                self._forward,
                call,
                items,
                latents,
                measure,
                self_attention=self_attention,
                predict=predict,
            )

    def _count(self, has_gradient: bool, run: Run) -> None:
        """Warn of a loss that moves nothing, once; a loss may have nothing to say at the first step.

        What a loss itself calls idle was said before the run.
        """
        loss = self._method.loss
        is_told = isinstance(loss, Loss) and any(loss.idle_for(prompt) for prompt in run.prompts)
        if has_gradient or is_told or self._idle is None:
            self._idle = None
            return
        self._idle += 1
        if self._idle == _PATIENCE:
            warnings.warn(
                f"The loss of {self._method.name} has no gradient with respect to the maps, so it moves nothing. "
                "Compute it from the maps by torch's operations, without detach(), item() or numpy.",
                UserWarning,
                stacklevel=2,
            )

    def _loss(self, maps: Maps, call: Call, run: Run, items: Sequence[int]) -> PerItem:
        """Return the method's loss; raises `SettingsError` if it is not one value per item."""
        previous = None if run.previous is None else run.previous.select(items)
        assert self._method.loss is not None
        prompts = [run.prompts[item] for item in items]
        loss = loss_of(loss_at(self._method.loss, run.progress), call, maps, prompts, previous)
        if tuple(loss.shape) != (len(items),):
            raise SettingsError(
                f"Expected a loss with one value per item, of shape ({len(items)},), got {tuple(loss.shape)} from "
                f"{self._method.loss}. Sum over the other axes, not over the batch."
            )
        return loss


def loss_of(loss: AnyLoss, call: Call, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> Tensor:
    """Return what a loss says of the maps of some images of `call`; of a video, the mean over its frames.

    Whether that is one value per image is not checked here.
    """
    frames = call.frames
    each = [prompt for prompt in prompts for _ in range(frames)]
    value = loss(maps.by_frame(frames), each, None if previous is None else previous.by_frame(frames))
    return value.unflatten(0, (-1, frames)).mean(1) if frames > 1 and value.shape == (len(each),) else value
