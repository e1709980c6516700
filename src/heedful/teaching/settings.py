"""The numbers of a training as a method has them: each option with its value, and the attention that the losses see."""

from dataclasses import dataclass

from heedful.attention import SiteSelection
from heedful.options import Augmentation, Crop, LrScheduler, TeachingOptions

PUBLISHED_SITES = SiteSelection(scale=4)


@dataclass(frozen=True, kw_only=True)
class TeachingSettings(TeachingOptions):
    """The numbers of a training, all of them; `TeachingOptions` says what each is.

    The defaults are those of Custom Diffusion and DisenDiff. DisenDiff's paper gives no `loss_weight`; its code has
    0.01. Raises `SettingsError` for values outside what is possible.
    """

    learning_rate: float = 8e-5
    word_learning_rate: float | None = None
    """None: the same rate."""
    max_train_steps: int = 250
    train_batch_size: int = 4
    gradient_accumulation_steps: int = 1
    lr_scheduler: LrScheduler = "constant_with_warmup"
    lr_warmup_steps: int = 0
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    adam_weight_decay: float = 0.01
    adam_epsilon: float = 1e-8
    max_grad_norm: float = 1.0
    with_prior_preservation: bool = True
    prior_loss_weight: float = 1.0
    class_batch_size: int | None = None
    """None: as many as training images."""
    num_class_images: int = 200
    crop: Crop = "concepts"
    composites: int = 0
    augmentation: Augmentation = "custom-diffusion"
    say_scale: bool = True
    detach_start: bool = True
    num_vectors: int = 1
    loss_weight: float = 0.01
    sites: SiteSelection = PUBLISHED_SITES
    """Attention whose maps the losses see: 16x16 locations at 512 px."""
