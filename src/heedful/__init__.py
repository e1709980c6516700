"""See, steer, teach and measure the cross-attention of text-to-image diffusion models.

    import heedful

    pipe = heedful.world.load()  # an embedded model; or any diffusers pipeline
    with heedful.guide(pipe, "a cat and a blue clock") as guided:
        images = pipe("a cat and a blue clock", num_images_per_prompt=4).images

Everything public is listed here. Names are imported when they are first used, so that `import heedful` and
the command's help do not wait for torch and diffusers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from heedful.errors import HeedfulError as HeedfulError
from heedful.references import cite as cite

if TYPE_CHECKING:
    __version__: str
    from heedful import losses as losses
    from heedful import world as world
    from heedful.attention import capture as capture
    from heedful.guidance import Method as Method
    from heedful.guidance import Settings as Settings
    from heedful.guidance import guide as guide
    from heedful.guidance import methods as methods
    from heedful.options import ClassImageOptions as ClassImageOptions
    from heedful.options import TeachingOptions as TeachingOptions
    from heedful.options import TrainingOptions as TrainingOptions
    from heedful.prompts import Concept as Concept
    from heedful.prompts import Prompt as Prompt
    from heedful.teaching import Photo as Photo
    from heedful.teaching import TeachingMethod as TeachingMethod
    from heedful.teaching import TeachingSettings as TeachingSettings
    from heedful.teaching import load_concepts as load_concepts
    from heedful.teaching import methods as teaching_methods
    from heedful.teaching import teach as teach

# where each name lies: a member of a module, or (None) the module itself
_LAZY: dict[str, tuple[str, str | None]] = {
    "ClassImageOptions": ("heedful.options", "ClassImageOptions"),
    "Concept": ("heedful.prompts", "Concept"),
    "Method": ("heedful.guidance", "Method"),
    "Photo": ("heedful.teaching", "Photo"),
    "Prompt": ("heedful.prompts", "Prompt"),
    "Settings": ("heedful.guidance", "Settings"),
    "TeachingMethod": ("heedful.teaching", "TeachingMethod"),
    "TeachingOptions": ("heedful.options", "TeachingOptions"),
    "TeachingSettings": ("heedful.teaching", "TeachingSettings"),
    "TrainingOptions": ("heedful.options", "TrainingOptions"),
    "capture": ("heedful.attention", "capture"),
    "guide": ("heedful.guidance", "guide"),
    "load_concepts": ("heedful.teaching", "load_concepts"),
    "losses": ("heedful.losses", None),
    "methods": ("heedful.guidance.methods", None),
    "teach": ("heedful.teaching", "teach"),
    "teaching_methods": ("heedful.teaching.methods", None),
    "world": ("heedful.world", None),
}

__all__ = [
    "ClassImageOptions",
    "Concept",
    "HeedfulError",
    "Method",
    "Photo",
    "Prompt",
    "Settings",
    "TeachingMethod",
    "TeachingOptions",
    "TeachingSettings",
    "TrainingOptions",
    "__version__",
    "capture",
    "cite",
    "guide",
    "load_concepts",
    "losses",
    "methods",
    "teach",
    "teaching_methods",
    "world",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # reading it takes as long as the rest of this import

        return version("heedful")
    if name not in _LAZY:
        raise AttributeError(f"module 'heedful' has no attribute {name!r}; it has: {', '.join(__all__)}")
    module, member = _LAZY[name]
    value = import_module(module)
    if member is not None:
        value = getattr(value, member)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
