"""A LoRA as files: the weights that `load_lora_weights` of diffusers reads, what its header says, and peft's config.

The header has the keys that other trainers write and that programs which show or merge LoRAs look for: `ss_*` (kohya's
sd-scripts), `modelspec.*` (Stability AI's Model Spec 1.0), `name`, `version`, `software` and `training_info`
(ai-toolkit). Keys for moments in time are not among them, because the same training gives the same bytes.
"""

import json
from collections import Counter
from importlib.metadata import version
from typing import Any

import torch
from diffusers.utils import convert_state_dict_to_diffusers
from safetensors.torch import save

from heedful.attention import ImagePipeline, find_denoiser
from heedful.errors import require
from heedful.teaching.folder import LORA, LORA_CONFIG, Manifest

_VERSIONS = {768: ("sd_v1", "stable-diffusion-v1"), 1024: ("sd_v2", "stable-diffusion-v2"),
             2048: ("sdxl_base_v1-0", "stable-diffusion-xl-v1-base")}  # fmt: skip
"""By the width of the text that a U-Net reads: what kohya's scripts and the Model Spec call its model."""
_TRANSFORMERS = {
    "SD3Transformer2DModel": ("sd3", "stable-diffusion-3"),
    "FluxTransformer2DModel": ("flux1", "flux-1-dev"),
}
_SAME = {
    "learning_rate": "ss_learning_rate",
    "max_train_steps": "ss_max_train_steps",
    "gradient_accumulation_steps": "ss_gradient_accumulation_steps",
    "train_batch_size": "ss_batch_size_per_device",
    "lr_scheduler": "ss_lr_scheduler",
    "lr_warmup_steps": "ss_lr_warmup_steps",
    "max_grad_norm": "ss_max_grad_norm",
    "prior_loss_weight": "ss_prior_loss_weight",
    "seed": "ss_seed",
    "precision": "ss_mixed_precision",
    "rank": "ss_network_dim",
}
"""Our fields of a training and kohya's, where they are the same."""


def lora_files(pipe: ImagePipeline, adapter: str, manifest: Manifest, base: str) -> dict[str, bytes]:
    """Return the file of a LoRA and the config that peft reads; `base` is what its model is called.

    Raises `MissingExtra` without peft.
    """
    peft = require("peft", "train")
    denoiser: Any = find_denoiser(pipe)
    layers: dict[str, torch.Tensor] = peft.get_peft_model_state_dict(denoiser, adapter_name=adapter)
    part = "unet" if hasattr(pipe, "unet") else "transformer"
    if part == "unet":
        layers = convert_state_dict_to_diffusers(layers)
    tensors = {f"{part}.{name}": value.detach().cpu().contiguous() for name, value in layers.items()}
    config = denoiser.peft_config[adapter].to_dict() | {"base_model_name_or_path": base}
    return {
        LORA: _in_order(save(tensors, metadata=lora_metadata(manifest, base))),
        LORA_CONFIG: (json.dumps(config, indent=2, default=_plain, sort_keys=True) + "\n").encode(),
    }


def lora_metadata(manifest: Manifest, base: str) -> dict[str, str]:
    """Return what the header of a LoRA says of its training, all as text."""
    training = manifest.training
    known = {ours: training[ours] for ours in _SAME if training.get(ours) is not None}
    words = " ".join(concept.placeholder for concept in manifest.concepts)
    side = training.get("resolution")
    name = "-".join(concept.name for concept in manifest.concepts)
    ours = {"name": "heedful", "version": version("heedful"), "url": "https://github.com/heedful/heedful"}
    said: dict[str, Any] = {
        "format": "pt",
        **{_SAME[field]: value for field, value in known.items()},
        "ss_network_alpha": training.get("rank"),
        "ss_network_module": "heedful",
        "ss_unet_lr": training.get("learning_rate"),
        "ss_output_name": name,
        "ss_sd_model_name": base,
        "ss_num_train_images": len(training.get("images", ())),
        "ss_num_reg_images": training.get("num_class_images") if training.get("with_prior_preservation") else 0,
        "ss_resolution": None if side is None else f"({side}, {side})",
        "ss_flip_aug": training.get("augmentation") != "none",
        "ss_optimizer": f"torch.optim.adamw.AdamW(weight_decay={training.get('adam_weight_decay')})",
        "ss_training_comment": f"{manifest.prompt} ({manifest.method})",
        "ss_tag_frequency": json.dumps({"images": _counts(manifest)}),
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.implementation": "diffusers",
        "modelspec.title": name,
        "modelspec.trigger_phrase": words,
        "modelspec.description": manifest.prompt,
        "modelspec.resolution": None if side is None else f"{side}x{side}",
        "modelspec.license": manifest.license,
        "name": name,
        "version": "1.0",
        "software": json.dumps(ours),
        "training_info": json.dumps({"step": training.get("max_train_steps"), "epoch": 0}),
        **_version(manifest.base),
    }
    return {key: str(value) for key, value in said.items() if value is not None}


def _counts(manifest: Manifest) -> Counter[str]:
    """Return how often each caption stands at a photo."""
    each = manifest.training.get("captions") or [[] for _ in manifest.training.get("images", [None])]
    return Counter(caption for captions in each for caption in captions or [manifest.prompt])


def _version(base: dict[str, Any]) -> dict[str, str]:
    """Return what the base model is called, if it is one that other trainers know."""
    found = _TRANSFORMERS.get(base.get("denoiser", ""), _VERSIONS.get(base.get("cross_attention_dim") or 0))
    if found is None:
        return {}
    return {"ss_base_model_version": found[0], "modelspec.architecture": f"{found[1]}/lora"}


def _in_order(content: bytes) -> bytes:
    """Return a safetensors file with the keys of its metadata in order, for they come in another one each time."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def _plain(value: Any) -> Any:
    """Return what JSON can say of a field of a peft config."""
    return sorted(value) if isinstance(value, set | frozenset) else str(value)
