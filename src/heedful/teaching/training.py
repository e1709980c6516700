"""The loop: steps of AdamW on what a method trains, with checkpoints from which a killed run goes on to the same end.

Knows accelerate, the optimizer and the order of a step. Every random number follows from seed and step. What the loss
is, `objective` knows; what is done before and after, `teach`.
"""

import json
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
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from heedful import adam
from heedful.attention import find_denoiser, frozen, recomputing
from heedful.errors import HeedfulError, SettingsError
from heedful.files import write_atomic
from heedful.options import Precision, TrainingOptions
from heedful.teaching.embeddings import LearntEmbeddings, text_parts
from heedful.teaching.examples import Pictures
from heedful.teaching.instance_prompt import NewConcept
from heedful.teaching.methods import TeachingMethod
from heedful.teaching.objective import Objective
from heedful.teaching.settings import TeachingSettings
from heedful.teaching.trained import add_lora, choose_weights, start_detached

CHECKPOINT = "checkpoint.safetensors"
PARTS = ("loss", "denoising", "prior", "maps")
Losses = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What is shown, and in which order: everything that a step draws from."""

    learnt: Pictures
    prior: Pictures | None
    """None without prior preservation."""
    resolution: tuple[int, int]
    """Height and width in pixels."""
    seed: int


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """Functions that are called while a training runs; none of them changes its result."""

    on_class_image: Callable[[int, int], None] = lambda done, total: None
    """Called with how many class images there are, and how many there will be."""
    on_step: Callable[[int, int, Losses], None] = lambda step, steps, losses: None
    """Called after each step with its number from 1, how many there are, and the parts of its loss."""
    on_validation: Callable[[int], Image.Image | None] | None = None
    """Called every `validation_steps`, and at the end, while the pipeline knows what has been learnt so far.
    An image that it returns goes to the tracker."""


class Training:
    """One training of one pipeline, from its first step or its last checkpoint to the end."""

    def __init__(
        self,
        pipe: Any,
        method: TeachingMethod,
        settings: TeachingSettings,
        concepts: Sequence[NewConcept],
        lesson: Lesson,
        precision: Precision,
    ):
        self.method, self.settings, self.lesson = method, settings, lesson
        self._pipe = pipe
        self._denoiser: Any = find_denoiser(pipe)
        AcceleratorState._reset_state()  # it belongs to the process, which may teach again in another precision
        self._accelerator = Accelerator(mixed_precision=precision, cpu=pipe.device.type == "cpu")
        self._dtypes = {name: each.dtype for name, each in self._denoiser_parameters()}
        weights = (
            choose_weights(self._denoiser, method.weights)
            if method.rank is None
            else add_lora(self._denoiser, method.weights, method.rank, lesson.seed)
        )
        self.embeddings = LearntEmbeddings(pipe, concepts, settings.num_vectors).to(pipe.device)
        self.embeddings.requires_grad_(method.trains_embeddings)
        self.parameters: dict[str, nn.Parameter] = dict(weights)
        if method.trains_embeddings:
            self.parameters |= dict(self.embeddings.named_parameters())
        self._objective = Objective(pipe, method.loss, settings, concepts, partial(self._accelerator.autocast, None))  # pyright: ignore[reportArgumentType]
        self._optimizer: Any = self._accelerator.prepare(
            torch.optim.AdamW(
                self.parameters.values(),
                lr=settings.learning_rate,
                betas=(settings.adam_beta1, settings.adam_beta2),
                weight_decay=settings.adam_weight_decay,
                eps=settings.adam_epsilon,
            )
        )
        self._share_of_rate = shares_of_rate(settings)
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
                stack.enter_context(frozen(module))
            stack.enter_context(self.embeddings.installed())
            if self.settings.detach_start:
                stack.enter_context(start_detached(self._denoiser, self.method.weights))
            if gradient_checkpointing:
                stack.enter_context(recomputing(self._denoiser))
            yield

    def run(self, folder: Path, told: Mapping[str, Any], options: TrainingOptions, callbacks: Callbacks) -> None:
        """Train to the last step, from the checkpoint in `folder` if there is one.

        Raises `SettingsError` for a checkpoint of another training, and `HeedfulError` if the loss is not finite.
        """
        steps = self.settings.max_train_steps
        self._resume(folder / CHECKPOINT, told)
        tracker = self._tracker(folder, options.report_to)
        look = callbacks.on_validation if self._accelerator.is_main_process else None
        while self._step < steps:
            losses = self._make_step()
            if tracker is not None:
                tracker.log(losses, step=self._step)
            callbacks.on_step(self._step, steps, losses)
            is_last = self._step == steps
            if (self._step % options.checkpointing_steps == 0 or is_last) and self._accelerator.is_main_process:
                self._save(folder / CHECKPOINT, told)
            if look is not None and (self._step % options.validation_steps == 0 or is_last):
                with torch.no_grad(), self._accelerator.autocast():
                    picture = look(self._step)
                if tracker is not None and picture is not None:
                    for each in tracker.trackers:
                        each.log_images({"validation": np.asarray(picture)[None]}, step=self._step, dataformats="NHWC")
        if tracker is not None:
            tracker.end_training()

    def finish(self) -> None:
        """Put what was learnt into the pipeline's own weights, in their own precision; nothing takes gradients then."""
        self.embeddings.write()
        for name, parameter in self._denoiser_parameters():
            parameter.requires_grad_(False)
            parameter.data = parameter.data.to(self._dtypes.get(name, self._pipe.vae.dtype))

    def _make_step(self) -> Losses:
        for group in self._optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * self._share_of_rate(self._step)
        passes = self.settings.gradient_accumulation_steps
        sums: dict[str, float] = {}
        for number in range(passes):
            # numbered over all processes: N of them see in a step what one sees in N times as many passes
            place = number * self._accelerator.num_processes + self._accelerator.process_index
            rng = np.random.default_rng([self.lesson.seed, self._step, place])
            with self._pass(rng) as losses:
                self._accelerator.backward(losses.total / passes)
            for name, value in losses.values().items():
                sums[name] = sums.get(name, 0.0) + value / passes
        self._share_gradients()
        sums = dict(zip(sums, self._mean(torch.tensor(list(sums.values()))).tolist(), strict=True))
        if not math.isfinite(sums["loss"]):
            raise HeedfulError(
                f"Expected a finite loss, got {sums['loss']} at step {self._step + 1}. Lower --learning-rate, or use "
                "--mixed-precision bf16 or no instead of fp16."
            )
        self._accelerator.clip_grad_norm_(list(self.parameters.values()), self.settings.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._losses[self._step] = torch.tensor([sums.get(name, math.nan) for name in PARTS])
        self._step += 1
        return sums

    def _pass(self, rng: np.random.Generator) -> Any:
        """Return the open losses of one pass, with pictures and noise from `rng`."""
        lesson, settings = self.lesson, self.settings
        learnt = [
            lesson.learnt.draw(rng, lesson.resolution, settings.augmentation, say_scale=settings.say_scale)
            for _ in range(settings.train_batch_size)
        ]
        prior = []
        if lesson.prior is not None:
            prior = [lesson.prior.draw(rng, lesson.resolution, "none") for _ in learnt]
        generator = torch.Generator("cpu").manual_seed(int(rng.integers(2**62)))
        return self._objective.losses(learnt, prior, lesson.resolution, generator)

    def _share_gradients(self) -> None:
        """Average the gradients of several processes, each of which saw its own pictures."""
        for parameter in self.parameters.values():
            if parameter.grad is not None:
                parameter.grad = self._mean(parameter.grad)

    def _mean(self, value: Tensor) -> Tensor:
        """Return the mean of a value over the processes."""
        if self._accelerator.num_processes == 1:
            return value
        shared: Any = self._accelerator.reduce(value.to(self._accelerator.device), reduction="mean")
        return shared.to(value.device)

    def _save(self, path: Path, told: Mapping[str, Any]) -> None:
        tensors = adam.pack(self.parameters, self._optimizer.optimizer)
        tensors |= {"losses": self._losses, "step": torch.tensor(self._step)}
        scaler = self._accelerator.scaler
        extra = {} if scaler is None else {"scaler": json.dumps(scaler.state_dict())}
        write_atomic(path, save(tensors, metadata={"told": json.dumps(told), **extra}))

    def _resume(self, path: Path, told: Mapping[str, Any]) -> None:
        if not path.exists():
            return
        try:
            with safe_open(path, framework="pt") as file:
                said = file.metadata() or {}
            tensors: dict[str, Tensor] = load_file(path)
        except SafetensorError as reason:
            raise SettingsError(f"Expected a checkpoint in {path}, but it is broken ({reason}). Remove it.") from reason
        check_same(json.loads(said.get("told", "{}")), told, path.parent)
        adam.unpack(tensors, self.parameters, self._optimizer.optimizer)
        self._losses, self._step = tensors["losses"], int(tensors["step"])
        if self._accelerator.scaler is not None and "scaler" in said:
            self._accelerator.scaler.load_state_dict(json.loads(said["scaler"]))

    def _tracker(self, folder: Path, report_to: str | None) -> Any:
        """Return who keeps losses and pictures, or None."""
        if report_to is None:
            return None
        tracked = Accelerator(log_with=report_to, project_dir=folder / "logs")
        tracked.init_trackers("heedful-teach")
        return tracked

    def _denoiser_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        yield from self._denoiser.named_parameters()


def shares_of_rate(settings: TeachingSettings) -> Callable[[int], float]:
    """Return which share of the learning rate each step has, counted from 0, as diffusers' schedulers say."""
    # of an optimizer of its own: the training's takes up at any step, and a scheduler begins with the first;
    # polynomial falls to a rate of 1e-7, and refuses to begin there
    stand_in = torch.optim.SGD([torch.zeros(1)], lr=max(settings.learning_rate, 1e-6))
    scheduler: Any = get_scheduler(
        settings.lr_scheduler,
        stand_in,
        num_warmup_steps=settings.lr_warmup_steps,
        num_training_steps=settings.max_train_steps,
    )
    return scheduler.lr_lambdas[0]


def steps_kept(folder: Path) -> int:
    """Return how many steps the checkpoint in `folder` has; 0 without one."""
    path = folder / CHECKPOINT
    if not path.exists():
        return 0
    with safe_open(path, framework="pt") as file:
        return int(file.get_tensor("step"))


def check_same(earlier: Mapping[str, Any], told: Mapping[str, Any], folder: Path) -> None:
    """Raise `SettingsError` if a folder holds a training that was told something else."""
    now = json.loads(json.dumps(told))
    differ = [name for name in sorted({*earlier, *now}) if earlier.get(name) != now.get(name) and name != "versions"]
    if differ:
        name = differ[0]
        raise SettingsError(
            f"Expected the training that {folder} holds, which has {name} {earlier.get(name)!r}, got {now.get(name)!r}"
            f"{f' (and {len(differ) - 1} more differences)' if len(differ) > 1 else ''}. "
            "Choose another folder, or pass --overwrite."
        )
