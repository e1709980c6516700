"""Every error that heedful raises on purpose, and how an optional extra is asked for.

    HeedfulError(Exception)
    ├── PromptError(ValueError)             the prompt does not fit what was asked
    │   ├── EmptyPrompt                     no words at all
    │   ├── ConceptNotFound                 a concept whose words are not in the prompt
    │   ├── PromptTooLong                   more tokens than the text encoder reads
    │   └── UnsuitablePrompt                the prompt does not suit this loss or method
    ├── PipelineError                       the pipeline cannot be read or steered
    │   ├── UnsupportedPipeline             a pipeline or denoiser that heedful cannot steer
    │   ├── UnsupportedScheduler            a scheduler that drops or rewrites an update
    │   └── UnsupportedBackend              attention is computed where it cannot be read
    ├── ModelError                          weights on disk or on a hub
    │   ├── ModelNotFound                   no model under this name or in this folder
    │   ├── ConceptsDoNotFit                taught concepts that do not fit this pipeline
    │   └── UnsafeWeights                   pickles, which can run code while they load
    ├── OutputError(OSError)                a file or folder that cannot be written
    ├── SettingsError(ValueError)           a setting outside what is possible: seeds, method, sites, ...
    └── MissingExtra(ImportError)           an optional part of heedful that is not installed

A message says three things in this order: what was expected, what was got, and the remedy.
"""

from importlib import import_module
from types import ModuleType


class HeedfulError(Exception):
    """The base of every error that heedful raises on purpose."""


class PromptError(HeedfulError, ValueError):
    """The prompt does not fit what was asked."""


class EmptyPrompt(PromptError):
    """The prompt has no words."""


class ConceptNotFound(PromptError):
    """A concept was asked for whose words are not in the prompt."""


class PromptTooLong(PromptError):
    """The prompt has more tokens than the text encoder reads."""


class UnsuitablePrompt(PromptError):
    """The prompt is fine, but not for this loss or method (one concept where two are needed, for example)."""


class PipelineError(HeedfulError):
    """The pipeline cannot be read or steered."""


class UnsupportedPipeline(PipelineError):
    """heedful does not know how this pipeline or denoiser holds its attention."""


class UnsupportedScheduler(PipelineError):
    """The scheduler drops or rewrites an update of the latents, so that guidance would have no effect."""


class UnsupportedBackend(PipelineError):
    """Attention is computed by a backend whose probabilities cannot be read."""


class ModelError(HeedfulError):
    """A model cannot be loaded."""


class ModelNotFound(ModelError):
    """There is no model under this name or in this folder."""


class ConceptsDoNotFit(ModelError):
    """Taught concepts cannot be loaded into, or learnt on, this pipeline: another base model, or words it knows."""


class UnsafeWeights(ModelError):
    """The weights are pickles, which can run code while they load; heedful reads safetensors only."""


class OutputError(HeedfulError, OSError):
    """A file or folder cannot be written."""


class SettingsError(HeedfulError, ValueError):
    """A setting lies outside what is possible."""


class MissingExtra(HeedfulError, ImportError):
    """An optional part of heedful is asked for whose packages are not installed."""


def require(module: str, extra: str) -> ModuleType:
    """Import and return `module`, which the optional extra `extra` installs.

    Raises `MissingExtra`, which names the command that installs it, if the module's top package is absent. A module
    that is installed but fails to import for another reason raises its own error.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as absence:
        if absence.name != package:
            raise
        raise MissingExtra(
            f"This needs the package {package!r}, which is not installed. "
            f"Install it with: pip install 'heedful[{extra}]'"
        ) from absence
