"""Everything that decides the result of a training, as JSON: a folder is recognised by it, and made again from it."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from heedful.attention import ImagePipeline, find_denoiser
from heedful.errors import SettingsError
from heedful.identity import code_of, describe_fields, sources_of
from heedful.options import TrainingOptions
from heedful.teaching.dataset import digest
from heedful.teaching.methods.method import TeachingMethod
from heedful.teaching.photos import Photo
from heedful.teaching.settings import TeachingSettings
from heedful.teaching.text_embeddings import text_parts

_VERSION = "version of "
_LIBRARIES = ("heedful", "torch", "diffusers", "transformers", "accelerate")
_TEACHERS = ("attention", "losses", "prompts", "teaching")
"""The rooms whose code decides what is learnt."""


def recipe(
    pipe: ImagePipeline,
    method: TeachingMethod,
    settings: TeachingSettings,
    photos: Sequence[Photo],
    prompt: str,
    class_prompts: Sequence[str],
    training: TrainingOptions,
) -> dict[str, Any]:
    """Return what decides the result, and the versions that it is computed with; names and folders do not count."""
    learns = ("trains_embeddings", "weights", "rank", "shows_each_alone", "loss")
    return {
        **{name: describe_fields(value) for name, value in vars(settings).items()},
        **{name: describe_fields(getattr(method, name)) for name in learns},
        "prompt": prompt,
        **_what_is_shown(photos),
        "class_prompts": list(class_prompts),
        "seed": training.seed,
        "resolution": training.resolution,
        "precision": training.mixed_precision,
        "base_weights": fingerprint(pipe),
        **{f"{_VERSION}{name}": version(name) for name in _LIBRARIES},
        f"{_VERSION}the sources": sources_of(*_TEACHERS),
        f"{_VERSION}the method's own code": code_of(method),
    }


def _what_is_shown(photos: Sequence[Photo]) -> dict[str, Any]:
    """Return the digests of photos and masks, and captions; what no photo has is absent."""
    masks = [None if photo.mask is None else digest(photo.mask) for photo in photos]
    said: dict[str, Any] = {
        "images": [digest(photo.image) for photo in photos],
        "masks": masks if any(masks) else [],
    }
    if any(photo.captions for photo in photos):
        said["captions"] = [list(photo.captions) for photo in photos]
    if any(photo.regions for photo in photos):
        said["regions"] = [{word: digest(mask) for word, mask in photo.regions.items()} for photo in photos]
    return said


def check_same(earlier: Mapping[str, Any], now: Mapping[str, Any], folder: Path, *, is_done: bool) -> None:
    """Raise `SettingsError` if the recipe of the training in `folder` is another one than `now`.

    A field that is new since counts as its default. What is done may have been computed with other versions.
    """
    usual = {name: describe_fields(value) for name, value in vars(TeachingSettings()).items()}
    after = json.loads(json.dumps(now))
    before = {name: earlier.get(name, usual.get(name)) for name in {*earlier, *after}}
    differ = [
        name
        for name in sorted(before)
        if before[name] != after.get(name) and not (is_done and name.startswith(_VERSION))
    ]
    if differ:
        name = differ[0]
        raise SettingsError(
            f"Expected the training that {folder} holds, which has {name} {before[name]!r}, got {after.get(name)!r}"
            f"{f' (and {len(differ) - 1} more differences)' if len(differ) > 1 else ''}. "
            "Choose another folder, or overwrite what is there."
        )


def fingerprint(pipe: ImagePipeline) -> str:
    """Return 16 hexadecimal digits that change with every number of the weights that decide what is learnt."""
    digits = sha256()
    denoiser: Any = find_denoiser(pipe)
    for part in (denoiser, *(encoder for _, encoder in text_parts(pipe)), pipe.vae):
        for name, value in sorted(part.state_dict().items()):
            digits.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digits.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digits.hexdigest()[:16]
