"""Loads models and pipelines whole: where weights are missing, libraries fill in random ones and go on.

diffusers and transformers only warn of it, at a level that programs turn off.
"""

import json
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import Any

from diffusers import ModelMixin
from transformers import PreTrainedModel

from heedful.errors import ModelError

_SHOWN = 4  # names of weights in a message


def load_whole(kind: type[Any], source: str, *, is_strict: bool = False, **options: Any) -> Any:
    """Return a model of the class `kind` by its `from_pretrained`, every weight of which was read.

    `is_strict` asks that every weight in the files is used, too. Raises `ModelError` for weights that the files lack,
    or have in another shape, and what `from_pretrained` raises.
    """
    model, found = kind.from_pretrained(source, output_loading_info=True, **options)
    _refuse(source, kind, "lacks", found.get("missing_keys", ()))
    _refuse(source, kind, "has in another shape", found.get("mismatched_keys", ()))
    if is_strict:
        _refuse(source, kind, "has, beside them,", found.get("unexpected_keys", ()))
    return model


def load_whole_pipeline(
    kind: Any, folder: Path, *, dtype: Any, variant: str | None = None, is_strict: bool = False, **options: Any
) -> Any:
    """Return the diffusers pipeline in `folder` by the `from_pretrained` of `kind`, every weight of which was read.

    `options` go to `from_pretrained`; a part that is among them is taken as it is. Nothing is downloaded, and only
    safetensors are read. Raises as `load_whole`.
    """
    shared = {"use_safetensors": True, "local_files_only": True}
    parts: dict[str, Any] = {}
    for name, part in _model_classes(folder).items():
        if name in options:
            continue
        has_variant = variant is not None and any((folder / name).glob(f"*.{variant}[.-]*"))
        given = shared | ({"variant": variant} if has_variant else {})
        precision = "dtype" if issubclass(part, PreTrainedModel) else "torch_dtype"
        parts[name] = load_whole(part, str(folder / name), is_strict=is_strict, **{precision: dtype}, **given)
    return kind.from_pretrained(str(folder), dtype=dtype, variant=variant, **shared, **parts, **options)


def _model_classes(folder: Path) -> dict[str, type[Any]]:
    """Return the class of each part of a pipeline that is a model of diffusers or transformers."""
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    found: dict[str, type[Any]] = {}
    for name, value in index.items():
        if not isinstance(value, list) or len(value) != 2 or value[0] not in ("diffusers", "transformers"):
            continue
        part = getattr(import_module(value[0]), str(value[1]), None)
        if isinstance(part, type) and issubclass(part, ModelMixin | PreTrainedModel) and (folder / name).is_dir():
            found[name] = part
    return found


def _refuse(source: str, kind: type[Any], what: str, keys: Collection[Any]) -> None:
    """Raise `ModelError` if there are any `keys`."""
    if not keys:
        return
    names = sorted(str(key[0] if isinstance(key, tuple | list) else key) for key in keys)
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    raise ModelError(
        f"Expected all weights of {Path(source).name} in {Path(source).parent}, and no others, got a file that {what} "
        f"{len(names)} of {kind.__name__}: {shown}. Libraries would go on with random ones. See whether the versions "
        "of transformers and diffusers are those that heedful asks for. Get the model whole."
    )
