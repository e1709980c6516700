"""The loop: steps of AdamW on what a method trains, with checkpoints from which a killed run continues to the same end.

Every random number follows from seed and step.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from diffusers.optimization import get_scheduler
from PIL import Image
from torch import Tensor, nn

from heedful.attention import TeachablePipeline, find_denoiser, frozen, parts_of, quantised, recomputing
from heedful.errors import HeedfulError
from heedful.folders import OutputFolder
from heedful.image_files import png_bytes
from heedful.options import Precision, TrainingOptions
from heedful.teaching.checkpoint import State, resume, save_checkpoint
from heedful.teaching.concepts import NewConcept
from heedful.teaching.dataset import Size, TrainingImages
from heedful.teaching.methods.method import TeachingMethod
from heedful.teaching.objective import Objective
from heedful.teaching.settings import TeachingSettings
from heedful.teaching.text_embeddings import LearntEmbeddings, text_parts
from heedful.teaching.weights import add_lora, choose_weights, start_detached

VALIDATION = "validation"
"""The folder of the sheets."""
PARTS = ("loss", "denoising", "prior", "maps")
Losses = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a step draws from."""

    images: TrainingImages
    class_images: TrainingImages | None
    """None without prior preservation."""
    size: Size
    seed: int


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """Functions that are called while a training runs; none of them changes its result."""

    on_photos: Callable[[TrainingImages], None] = lambda photos: None
    """Called once with the squares of the photos, and composites behind them if these are what is learnt, before
    anything is."""
    on_class_image: Callable[[int, int], None] = lambda done, total: None
    """Called with how many class images there are, and how many there will be."""
    on_step: Callable[[int, int, Losses], None] = lambda step, steps, losses: None
    """Called after each step with its number from 1, how many there are, and the parts of its loss."""
    on_validation: Callable[[int], Image.Image | None] | None = None
    """Called every `validation_steps`, and at the end, while the pipeline knows what has been learnt so far.
    The sheet that it returns is written to OUT/validation/STEP.png, and goes to the tracker."""


class Training:
    """One training of one pipeline, from its first step or its last checkpoint to the end."""

    def __init__(
        self,
        pipe: TeachablePipeline,
        method: TeachingMethod,
        settings: TeachingSettings,
        concepts: Sequence[NewConcept],
        data: Data,
        precision: Precision,
    ):
        self.method, self.settings, self._data = method, settings, data
        self._pipe = pipe
        self._denoiser: Any = find_denoiser(pipe)
        AcceleratorState._reset_state()  # it belongs to the process, which may teach again in another precision
        self._accelerator = Accelerator(mixed_precision=precision, cpu=pipe.device.type == "cpu")
        self._dtype = self._denoiser.dtype
        self._dtypes = {name: each.dtype for name, each in self._denoiser_parameters()}
        weights = (
            choose_weights(self._denoiser, method.weights)
            if method.rank is None
            else add_lora(self._denoiser, method.weights, method.rank, data.seed)
        )
        self.embeddings = LearntEmbeddings(pipe, concepts, settings.num_vectors).to(pipe.device)
        self.embeddings.requires_grad_(method.trains_embeddings)
        self.parameters: dict[str, nn.Parameter] = dict(weights)
        if method.trains_embeddings:
            self.parameters |= dict(self.embeddings.named_parameters())
        self._objective = Objective(pipe, method.loss, settings, concepts, partial(self._accelerator.autocast, None))  # pyright: ignore[reportArgumentType]
        self._optimizer: Any = self._accelerator.prepare(
            torch.optim.AdamW(
                self._groups(weights),
                lr=settings.learning_rate,
                betas=(settings.adam_beta1, settings.adam_beta2),
                weight_decay=settings.adam_weight_decay,
                eps=settings.adam_epsilon,
            )
        )
        self._share_of_rate = rate_shares(settings)
        self._step = 0
        self._losses = torch.full((settings.max_train_steps, len(PARTS)), math.nan)

    @property
    def losses(self) -> list[Losses]:
        """The parts of the loss of each step so far."""
        return [
            {name: value for name, value in zip(PARTS, row, strict=True) if not math.isnan(value)}
            for row in self._losses[: self._step].tolist()
        ]

    @contextmanager
    def prepared(self, gradient_checkpointing: bool) -> Iterator[None]:
        """Let the pipeline read what is learnt, frozen but for that; after the block all else is as it was."""
        encoders = [encoder for _, encoder in text_parts(self._pipe)]
        with ExitStack() as stack:
            for module in (*encoders, self._pipe.vae):
                stack.enter_context(frozen(parts_of(module)))
            stack.enter_context(quantised(parts_of(self._denoiser)))
            stack.enter_context(self.embeddings.installed())
            if self.settings.detach_start:
                stack.enter_context(start_detached(self._denoiser, self.method.weights))
            if gradient_checkpointing:
                stack.enter_context(recomputing(parts_of(self._denoiser)))
            yield

    def run(self, output: OutputFolder, recipe: Mapping[str, Any], run: TrainingOptions, callbacks: Callbacks) -> None:
        """Train to the last step, from the checkpoint in the folder if there is one.

        Raises `SettingsError` for a checkpoint of another training, and `HeedfulError` if the loss is not finite.
        """
        steps = self.settings.max_train_steps
        state = State(self.parameters, self._optimizer.optimizer, self._accelerator.scaler, recipe)
        self._step = resume(output.folder, state, self._losses)
        tracker = self._tracker(output.folder, run.report_to)
        if self._step and (self._step % run.validation_steps == 0 or self._step == steps):
            self._validate(output, callbacks, tracker)  # a kill may have come between checkpoint and sheet
        while self._step < steps:
            losses = self._make_step()
            if tracker is not None:
                tracker.log(losses, step=self._step)
            callbacks.on_step(self._step, steps, losses)
            is_last = self._step == steps
            if (self._step % run.checkpointing_steps == 0 or is_last) and self._accelerator.is_main_process:
                save_checkpoint(output.folder, state, self._step, self._losses)
            if self._step % run.validation_steps == 0 or is_last:
                self._validate(output, callbacks, tracker)
        if tracker is not None:
            tracker.end_training()

    def finish(self) -> None:
        """Put what was learnt into the pipeline's own weights, in their own precision; nothing takes gradients then."""
        self.embeddings.write()
        for name, parameter in self._denoiser_parameters():
            parameter.requires_grad_(False)
            wanted = self._dtypes.get(name.replace(".base_layer.", "."), self._dtype)
            if parameter.dtype != wanted:
                parameter.data = parameter.data.to(wanted)

    def _validate(self, output: OutputFolder, callbacks: Callbacks, tracker: Any) -> None:
        """Let `on_validation` look at the pipeline, and keep the sheet that it returns."""
        if callbacks.on_validation is None or not self._accelerator.is_main_process:
            return
        with torch.no_grad(), self._accelerator.autocast():
            sheet = callbacks.on_validation(self._step)
        if sheet is None:
            return
        output.write({sheet_name(self._step): png_bytes(sheet)})
        for each in () if tracker is None else tracker.trackers:
            each.log_images({"validation": np.asarray(sheet)[None]}, step=self._step, dataformats="NHWC")

    def _make_step(self) -> Losses:
        for group in self._optimizer.param_groups:
            group["lr"] = group["full_rate"] * self._share_of_rate(self._step)
        passes = self.settings.gradient_accumulation_steps
        sums: dict[str, float] = {}
        for number in range(passes):
            # numbered over all processes: N of them see in a step what one sees in N times as many passes
            over_all = number * self._accelerator.num_processes + self._accelerator.process_index
            rng = np.random.default_rng([self._data.seed, self._step, over_all])
            with self._pass(rng) as losses:
                self._accelerator.backward(losses["loss"] / passes)
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) / passes
        self._share_gradients()
        sums = dict(zip(sums, self._mean(torch.tensor(list(sums.values()))).tolist(), strict=True))
        if not math.isfinite(sums["loss"]):
            raise HeedfulError(
                f"Expected a finite loss, got {sums['loss']} at step {self._step + 1}. Lower the learning rate, "
                "or use the mixed precision bf16 or no instead of fp16."
            )
        self._accelerator.clip_grad_norm_(list(self.parameters.values()), self.settings.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._losses[self._step] = torch.tensor([sums.get(name, math.nan) for name in PARTS])
        self._step += 1
        return sums

    def _pass(self, rng: np.random.Generator) -> Any:
        """Return the open losses of one pass, with images and noise from `rng`."""
        data, settings = self._data, self.settings
        shown = [
            data.images.draw(rng, data.size, settings.augmentation, say_scale=settings.say_scale)
            for _ in range(settings.train_batch_size)
        ]
        count = settings.train_batch_size if settings.class_batch_size is None else settings.class_batch_size
        classes = data.class_images
        prior = [] if classes is None else [classes.draw(rng, data.size, "none") for _ in range(count)]
        generator = torch.Generator("cpu").manual_seed(int(rng.integers(2**62)))
        return self._objective.losses(shown, prior, data.size, generator)

    def _groups(self, weights: Mapping[str, nn.Parameter]) -> list[dict[str, Any]]:
        """Return what learns at which rate, in the order of `parameters`."""
        own, words = self.settings.learning_rate, self.settings.word_learning_rate
        rates = [own if name in weights or words is None else words for name in self.parameters]
        return [
            {"params": [each for each, its in zip(self.parameters.values(), rates, strict=True) if its == rate],
             "lr": rate, "full_rate": rate}
            for rate in dict.fromkeys(rates)
        ]  # fmt: skip

    def _share_gradients(self) -> None:
        """Average the gradients of several processes, each of which saw its own images."""
        for parameter in self.parameters.values():
            if parameter.grad is not None:
                parameter.grad = self._mean(parameter.grad)

    def _mean(self, value: Tensor) -> Tensor:
        """Return the mean of a value over the processes."""
        if self._accelerator.num_processes == 1:
            return value
        shared: Any = self._accelerator.reduce(value.to(self._accelerator.device), reduction="mean")
        return shared.to(value.device)

    def _tracker(self, folder: Path, report_to: str | None) -> Any:
        """Return what keeps losses and sheets, or None."""
        if report_to is None:
            return None
        tracked = Accelerator(log_with=report_to, project_dir=folder / "logs")
        tracked.init_trackers("heedful-teach")
        return tracked

    def _denoiser_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        yield from self._denoiser.named_parameters()


def sheet_name(step: int) -> str:
    """Return the name of the validation sheet of a step in the folder."""
    return f"{VALIDATION}/{step}.png"


def rate_shares(settings: TeachingSettings) -> Callable[[int], float]:
    """Return which share of the learning rate each step has, counted from 0, as diffusers' schedulers say."""
    # the optimizer is a stand-in: the training's may resume at any step, and a scheduler begins with the first;
    # polynomial falls to a rate of 1e-7, and refuses to begin there
    stand_in = torch.optim.SGD([torch.zeros(1)], lr=max(settings.learning_rate, 1e-6))
    scheduler: Any = get_scheduler(
        settings.lr_scheduler,
        stand_in,
        num_warmup_steps=settings.lr_warmup_steps,
        num_training_steps=settings.max_train_steps,
    )
    return scheduler.lr_lambdas[0]
