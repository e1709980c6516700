"""Loads the models that scores ask: by hub id or folder, when first used, once, safetensors only.

A folder is read from disk alone; only a hub id may use the network. No code of a model's repository ever runs.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor
from transformers import AutoConfig

from heedful.errors import ModelError, ModelNotFound, UnsafeWeights
from heedful.models import first_line, hub_says, is_path, refuse_pickles
from heedful.whole_models import load_whole


@cache
def load_network(kind: type[Any], model: str, device: str) -> Any:
    """Return the network `model` of the transformers class `kind` on `device`, in float32, for inference only.

    Raises `ModelNotFound`, `UnsafeWeights`, or `ModelError` if it is a model of another kind, or a weight is missing.
    """
    _check_kind(kind, model)
    network = _from_pretrained(kind, model, partial(load_whole, kind), use_safetensors=True)
    return network.to(device).float().eval().requires_grad_(False)


@cache
def load_processor(kind: type[Any], model: str) -> Any:
    """Return the image processor or tokenizer of `model`, of the transformers class `kind`; raises as above."""
    return _from_pretrained(kind, model)


def image_pixels(kind: type[Any], model: str, images: Sequence[Image.Image], device: Any) -> Tensor:
    """Return images as the image processor of `model` prepares them, on `device`."""
    prepared = load_processor(kind, model)([image.convert("RGB") for image in images], return_tensors="pt")
    return prepared.pixel_values.to(device)


def _check_kind(kind: type[Any], model: str) -> None:
    """Raise `ModelError` unless the model's config is of this kind: transformers would fill in random weights."""
    found, wanted = _from_pretrained(AutoConfig, model).model_type, kind.config_class.model_type
    if found != wanted:
        raise ModelError(
            f"Expected a model of the type {wanted!r} (a {kind.__name__}), got {found!r} in {model}. Name another."
        )


def _from_pretrained(kind: type[Any], model: str, load: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Return what `load`, by default the class's own `from_pretrained`, makes of `model`."""
    is_local = is_path(model)
    if is_local:
        _check_folder(Path(model).expanduser())
    source = str(Path(model).expanduser()) if is_local else model
    try:
        return (load or kind.from_pretrained)(source, local_files_only=is_local, **options)
    except (OSError, ValueError, KeyError) as reason:
        if "safetensors" in str(reason):
            raise UnsafeWeights(
                f"Expected safetensors in the model {model}, but it seems to hold none; other weights can run code "
                "while they load. Look for a conversion of this model to safetensors."
            ) from reason
        if is_local:
            raise ModelError(
                f"Expected to load a {kind.__name__} from {model}, but transformers says: {first_line(reason)} "
                "See whether the folder is whole."
            ) from reason
        raise ModelNotFound(
            f"Expected a model called {model} on the hub (there is no such folder here), but {hub_says(reason)}."
        ) from reason


def _check_folder(folder: Path) -> None:
    """Raise `ModelNotFound` or `UnsafeWeights` unless `folder` may hold a model of transformers."""
    if not (folder / "config.json").is_file():
        raise ModelNotFound(
            f"Expected a folder with a model of transformers (config.json) at {folder}, found none. "
            "Pass a folder that save_pretrained() has written, or a hub id (owner/name)."
        )
    refuse_pickles(folder, "transformers")
