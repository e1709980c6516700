"""Groups of options as dataclasses: a model, how it samples, and an image to paint into.

Each field's name is the name of the option on the command line, and its docstring the help text. Nothing heavy is
imported here, so that a help page does not wait for torch. None means: what suits the model.
"""

from dataclasses import dataclass
from pathlib import Path


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


@dataclass(frozen=True, kw_only=True)
class ModelOptions(LoadOptions):
    """Which pipeline is opened, where it runs, and what is loaded on top of it."""

    scheduler: str | None = None
    """Another scheduler of diffusers, such as ddim or euler. Without it, the model's own."""
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
    width: int | None = None
    """Width of the images in pixels. Without it, the model's own."""
    height: int | None = None
    """Height of the images in pixels. Without it, the model's own."""
    batch_size: int | None = None
    """Images made together. Without it: 8 on the embedded model, else 1."""


@dataclass(frozen=True, kw_only=True)
class InpaintingOptions:
    """An image to paint into, and where."""

    image: Path | None = None
    """An image to paint into."""
    mask_image: Path | None = None
    """A mask as large as the image; it is white where the image is painted anew."""
    strength: float | None = None
    """How much of the covered part's beginning is noise, above 0 and at most 1. Without it: 1. Below 1, something of
    what was there is kept."""
