"""Groups of options as dataclasses: a model, how it samples, an image to inpaint, and how it is taught.

Each field's name is the name of the option on the command line, and its docstring the help text. Nothing heavy is
imported here, so that a help page does not wait for torch. None means: what suits the model.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from heedful.errors import SettingsError
from heedful.fields import check_fields

LrScheduler = Literal["constant_with_warmup", "constant", "linear", "cosine", "cosine_with_restarts", "polynomial"]
Precision = Literal["no", "fp16", "bf16"]
Augmentation = Literal["none", "flip", "custom-diffusion"]
Crop = Literal["concepts", "centre"]
Offload = Literal["none", "model", "sequential", "group"]


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """Which pipeline is opened, and where it runs."""

    model: str | None = None
    """Folder of a diffusers pipeline (safetensors), or a hub id such as owner/name. Without it, the small embedded
    model is used, which needs no download."""
    device: str = "auto"
    """Where the model runs: auto, cpu, cuda or mps."""
    dtype: str | None = None
    """Precision of the model: float32, float16 or bfloat16. Without it: float32 on a CPU and for the embedded model,
    float16 on a GPU."""
    revision: str | None = None
    """Branch, tag or commit of a hub's model. Without it, the newest."""
    variant: str | None = None
    """Variant of the weights, such as fp16 for files called model.fp16.safetensors. Without it, the plain ones."""


@dataclass(frozen=True, kw_only=True)
class ModelOptions(LoadOptions):
    """Which pipeline is opened, where it runs, and what is loaded on top of it."""

    scheduler: str | None = None
    """Another scheduler of diffusers, such as ddim or euler. Without it, the model's own."""
    offload: Offload = "none"
    """What waits in the memory of the processor until it is needed: nothing, whole parts of the pipeline (model),
    single layers (sequential), or blocks (group). All need less memory of the GPU and more time."""
    concepts_from: tuple[Path, ...] = ()
    """Folder of concepts that `heedful teach` has written. It may be repeated."""
    lora: tuple[str, ...] = ()
    """A LoRA (safetensors) on top: FILE, FOLDER, owner/name or owner/name/FILE.safetensors, with =WEIGHT behind it
    unless the weight is 1. It may be repeated."""


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """How images are sampled."""

    steps: int | None = None
    """Denoising steps. Without it: 20 on the embedded model, else 50."""
    guidance_scale: float | None = None
    """Weight of classifier-free guidance. Without it: 3 on the embedded model, else 7.5."""
    negative_prompt: str | None = None
    """What no image should show. It takes the place of the empty prompt in classifier-free guidance."""
    width: int | None = None
    """Width of the images in pixels. Without it, the model's own."""
    height: int | None = None
    """Height of the images in pixels. Without it, the model's own."""
    batch_size: int | None = None
    """Images made together. Without it: 8 on the embedded model, else 1."""
    gradient_checkpointing: bool = False
    """Whether guided steps keep one block at a time and compute it again: the same gradients with less memory and more
    time."""


@dataclass(frozen=True, kw_only=True)
class InpaintingOptions:
    """An image to inpaint, and where."""

    image: Path | None = None
    """An image to inpaint."""
    mask_image: Path | None = None
    """A mask as large as the image; it is white where the image is generated anew."""
    strength: float | None = None
    """How much of the covered part's beginning is noise, above 0 and at most 1. Without it: 1. Below 1, something of
    what was there is kept."""


@dataclass(frozen=True, kw_only=True)
class TeachingOptions:
    """The numbers of a training, under the names of diffusers' training scripts.

    An option that is not given has the method's own value. Raises `SettingsError` for values outside what is possible.
    """

    learning_rate: float | None = None
    """Learning rate of AdamW."""
    word_learning_rate: float | None = None
    """Learning rate of the new words, if it is another one."""
    max_train_steps: int | None = None
    """Number of steps of the optimizer."""
    train_batch_size: int | None = None
    """Training images per forward pass; with prior preservation, as many class images are added to them."""
    gradient_accumulation_steps: int | None = None
    """Forward passes per step of the optimizer: more of smaller batches need less memory and more time."""
    lr_scheduler: LrScheduler | None = None
    """How the learning rate changes over the steps, by the names of diffusers' scripts."""
    lr_warmup_steps: int | None = None
    """Steps over which the learning rate rises from 0; the scheduler "constant" has none."""
    adam_beta1: float | None = None
    """Decay rate of AdamW's first moment."""
    adam_beta2: float | None = None
    """Decay rate of AdamW's second moment."""
    adam_weight_decay: float | None = None
    """Weight decay of AdamW."""
    adam_epsilon: float | None = None
    """Term that AdamW adds to its denominator."""
    max_grad_norm: float | None = None
    """Gradients are clipped to this norm."""
    with_prior_preservation: bool | None = None
    """Whether images of the classes alone are shown too, so that the classes keep their meaning (DreamBooth)."""
    prior_loss_weight: float | None = None
    """Weight of the denoising loss of class images."""
    class_batch_size: int | None = None
    """Class images per forward pass. Without it: as many as training images."""
    num_class_images: int | None = None
    """Number of class images; the model generates those that their folder lacks."""
    crop: Crop | None = None
    """Which square of a photo is learnt: one that keeps every concept, told by masks, or else by the model's own maps;
    or the one in its centre."""
    composites: int | None = None
    """Number of images that are learnt instead of the photos: the photos' things, cut out by masks or by the model's
    own maps, on grounds of class images, alone and beside their things. 0 for none."""
    augmentation: Augmentation | None = None
    """How training images are varied: not at all, mirrored, or mirrored and scaled as in Custom Diffusion."""
    say_scale: bool | None = None
    """Whether captions say the scale of an augmented image: "a far away photo of ..."."""
    detach_start: bool | None = None
    """Whether keys and values learn nothing from the start token (Custom Diffusion)."""
    initializer_token: tuple[str, ...] | None = None
    """Initial meaning of each new word, one token each. Without it: rare tokens if the tokenizer has them, else the
    class nouns."""
    num_vectors: int | None = None
    """Number of embeddings per new word."""
    loss_weight: float | None = None
    """Weight of the losses on attention maps."""

    def __post_init__(self) -> None:
        """Check types and ranges."""
        check_fields(type(self), vars(self), "settings of a training")
        _check_least(self, 1, "max_train_steps", "train_batch_size", "gradient_accumulation_steps", "num_vectors",
                     "num_class_images", "class_batch_size")  # fmt: skip
        _check_least(self, 0, "composites", "learning_rate", "word_learning_rate", "prior_loss_weight", "loss_weight",
                     "lr_warmup_steps", "adam_beta1", "adam_beta2", "adam_weight_decay", "adam_epsilon",
                     "max_grad_norm")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ClassImageOptions:
    """Where the images for prior preservation come from, and how the model generates those that are missing."""

    class_data_dir: Path | None = None
    """Folder with images of the classes; the model generates there what it lacks. Without it: OUT/class_images."""
    class_prompt: tuple[str, ...] = ()
    """What class images show; may be repeated. Without it: the prompt without its placeholders."""
    sample_batch_size: int = 4
    """Class images that are generated together."""
    class_steps: int | None = None
    """Denoising steps of a class image. Without it: 20 on the embedded model, else 50."""
    class_guidance_scale: float | None = None
    """Weight of classifier-free guidance for class images. Without it: 3 on the embedded model, else 7.5."""

    def __post_init__(self) -> None:
        """Check types and ranges."""
        check_fields(ClassImageOptions, vars(self), "options of class images")
        _check_least(self, 1, "sample_batch_size", "class_steps")


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How a training runs, whatever its method.

    Raises `SettingsError` for values outside what is possible.
    """

    seed: int = 0
    """Every random number of the training follows from this seed."""
    resolution: int | None = None
    """Side of the square that is learnt, in pixels. Without it: that of the model's own images."""
    mixed_precision: Precision | None = None
    """Precision of the products; what learns is always float32. Without it: that of the loaded weights."""
    overwrite: bool = False
    """Whether to start again: what heedful has written in the folder is removed first, and nothing else."""
    gradient_checkpointing: bool = False
    """Whether blocks are run twice: the same gradients with less memory and more time."""
    checkpointing_steps: int = 50
    """Steps between checkpoints; after a kill, the same training continues from the last one."""
    validation_steps: int = 50
    """Steps between validations; one more follows the last step."""
    report_to: Literal["tensorboard"] | None = None
    """Tracker that gets losses and validation sheets, in OUT/logs."""
    license: str | None = None
    """Licence of what comes out, as the Hub names it: apache-2.0, creativeml-openrail-m. It is written on the card."""

    def __post_init__(self) -> None:
        """Check types and ranges."""
        check_fields(TrainingOptions, vars(self), "options of a training")
        _check_least(self, 1, "checkpointing_steps", "validation_steps", "resolution")
        _check_least(self, 0, "seed")


def _check_least(options: Any, least: int, *names: str) -> None:
    """Raise `SettingsError` for a number below `least`; None is skipped."""
    for name in names:
        value = getattr(options, name)
        if value is not None and value < least:
            raise SettingsError(f"Expected {name} of at least {least}, got {value}.")
