"""Everything that a training is told beside its method: the method's numbers, its class images, and how it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from heedful.attention import SiteSelection
from heedful.errors import SettingsError
from heedful.fields import check_fields
from heedful.teaching.examples import Augmentation

LrScheduler = Literal["constant_with_warmup", "constant", "linear", "cosine", "cosine_with_restarts", "polynomial"]
Precision = Literal["no", "fp16", "bf16"]
PUBLISHED_SITES = SiteSelection(scale=4)


@dataclass(frozen=True, kw_only=True)
class TeachingSettings:
    """The numbers of a training, under the names of diffusers' training scripts; each method has its own.

    Raises `SettingsError` for values outside what is possible.
    """

    learning_rate: float = 8e-5
    """Learning rate of AdamW."""
    max_train_steps: int = 250
    """Number of steps of the optimizer."""
    train_batch_size: int = 4
    """Training images per forward pass; with prior preservation as many class images are added to them."""
    gradient_accumulation_steps: int = 1
    """Forward passes per step of the optimizer: more of smaller batches need less memory and more time."""
    lr_scheduler: LrScheduler = "constant_with_warmup"
    """How the learning rate changes over the steps, by the names of diffusers' scripts."""
    lr_warmup_steps: int = 0
    """Steps over which the learning rate rises from 0; the scheduler "constant" has none."""
    adam_beta1: float = 0.9
    """Decay rate of AdamW's first moment."""
    adam_beta2: float = 0.999
    """Decay rate of AdamW's second moment."""
    adam_weight_decay: float = 0.01
    """Weight decay of AdamW."""
    adam_epsilon: float = 1e-8
    """Term that AdamW adds to its denominator."""
    max_grad_norm: float = 1.0
    """Gradients are clipped to this norm."""
    with_prior_preservation: bool = True
    """Whether images of the classes alone are shown too, so that the classes keep their meaning (DreamBooth)."""
    prior_loss_weight: float = 1.0
    """Weight of the denoising loss of class images."""
    num_class_images: int = 200
    """Number of class images; the model generates those that their folder lacks."""
    augmentation: Augmentation = "custom-diffusion"
    """How training images are varied: not at all, mirrored, or mirrored and scaled as in Custom Diffusion."""
    say_scale: bool = True
    """Whether captions say the scale of an augmented image: "a far away photo of ..."."""
    detach_start: bool = True
    """Whether keys and values learn nothing from the start token (Custom Diffusion)."""
    initializer_token: tuple[str, ...] | None = None
    """Initial meaning of each new word, one token each. Without it: rare tokens if the tokenizer has them, else the
    nouns."""
    num_vectors: int = 1
    """Number of embeddings per new word."""
    loss_weight: float = 0.01
    """Weight of the losses on attention maps. DisenDiff's paper gives none; its code has 0.01."""
    sites: SiteSelection = PUBLISHED_SITES
    """Attention whose maps the losses see: 16x16 locations at 512 px."""

    def __post_init__(self) -> None:
        """Check types and ranges."""
        check_fields(TeachingSettings, vars(self), "settings of a training")
        counts = (
            "max_train_steps",
            "train_batch_size",
            "gradient_accumulation_steps",
            "num_vectors",
            "num_class_images",
        )
        for name in counts:
            _at_least(self, name, 1)
        for name in ("learning_rate", "prior_loss_weight", "loss_weight", "lr_warmup_steps"):
            _at_least(self, name, 0)


@dataclass(frozen=True, kw_only=True)
class ClassImages:
    """Where the images for prior preservation come from, and what they show."""

    class_data_dir: Path | None = None
    """Folder with images of the classes; the model generates there what it lacks. Without it: OUT/class_images."""
    class_prompt: tuple[str, ...] = ()
    """What class images show; may be repeated. Without it: the prompt without its placeholders."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the pipeline's call that generates class images."""


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """How a training runs: what all methods share.

    Raises `SettingsError` for values outside what is possible.
    """

    seed: int = 0
    """Every random number of the training follows from this seed."""
    resolution: int | None = None
    """Side of the square that is learnt, in pixels. Without it: that of the model's own images."""
    mixed_precision: Precision | None = None
    """Precision of the products; what learns is always float32. Without it: that of the loaded weights."""
    gradient_checkpointing: bool = False
    """Whether blocks are run twice: the same gradients with less memory and more time."""
    checkpointing_steps: int = 50
    """Steps between checkpoints; after a kill the same training continues from the last one."""
    validation_steps: int = 50
    """Steps between validations; one more follows the last step."""
    report_to: Literal["tensorboard"] | None = None
    """Tracker that gets losses and validation sheets, in OUT/logs."""
    base_model: str | None = None
    """What the model card calls the model that learns. Without it: the name that the pipeline was loaded by."""

    def __post_init__(self) -> None:
        """Check types and ranges."""
        check_fields(TrainingRun, vars(self), "settings of a run")
        for name in ("checkpointing_steps", "validation_steps"):
            _at_least(self, name, 1)
        _at_least(self, "seed", 0)


def _at_least(settings: Any, name: str, least: int) -> None:
    value = getattr(settings, name)
    if value < least:
        raise SettingsError(f"Expected {name} of at least {least}, got {value}.")
