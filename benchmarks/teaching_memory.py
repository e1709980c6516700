"""What a step of teaching large models as LoRA holds in memory, counted at their published sizes without their weights.

    python benchmarks/teaching_memory.py                                  # every row of docs/teach.md
    python benchmarks/teaching_memory.py --models "FLUX.1-dev" --sides 512

The real step runs (`heedful.teaching.objective`) on the real classes of pipelines, whose numbers are fake: they have
shapes and no values. One training image and one class image, gradient checkpointing, products in bf16, rank 4. Counted
are all weights, what learns with AdamW's two moments in float32, and the most that lives at once in the passes there
and back, the autoencoder's too. A card also holds what CUDA needs, for which `cards.RESERVE` is left. Nothing was run
on a card. Writes OUT (JSON) and prints the table.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import patch

import diffusers
import torch
import typer
from cards import BITS, CARDS, RESERVE
from counting import GIB, Living
from large_models import weights
from published_models import MODELS
from rich.console import Console
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, T5Config, T5EncoderModel

from heedful.attention import parts_of, recomputing
from heedful.attention.layout import Layout
from heedful.files import write_atomic
from heedful.report.markdown import table
from heedful.teaching import METHODS, TeachingMethod, new_concepts
from heedful.teaching.dataset import Example
from heedful.teaching.objective import Objective
from heedful.teaching.text_embeddings import LearntEmbeddings, text_parts
from heedful.teaching.weights import add_lora
from heedful.world.tokenizer import build_tokenizer

PROMPT = "a <cat1> cat and a <dog1> dog"
METHOD_NAMES = ("disendiff-lora", "dreambooth-lora")
_SMALL = " without T5"
NAMES = ("SDXL", "SD3.5 medium", f"SD3.5 medium{_SMALL}", "FLUX.1-dev")
WAYS = ("bf16", "int8 denoiser", "int8 denoiser and text encoders")
_CLIP_L = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
_CLIP_G = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20}
_T5 = {"d_model": 4096, "d_ff": 10240, "num_layers": 24, "num_heads": 64, "feed_forward_proj": "gated-gelu"}
_WORDS = 49408


def main(
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("out/teaching-memory.json"),
    models: Annotated[str, typer.Option(help="Names with commas between them.")] = ",".join(NAMES),
    methods: Annotated[str, typer.Option(help="Names with commas between them.")] = ",".join(METHOD_NAMES),
    sides: Annotated[str, typer.Option(help="Sides of the square in pixels, with commas.")] = "512,1024",
) -> None:
    """Count each row, and say what fits which card."""
    found: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    for name in models.split(","):
        for method in methods.split(","):
            for side in map(int, sides.split(",")):
                found[f"{name}, {method}, {side} px"] = count(name, METHODS[method], side)
                write_atomic(out, json.dumps(found, indent=1) + "\n")
    head = ["", "numbers that learn", "weights", "of text encoders", "passes", *WAYS, *(f"{card} GB" for card in CARDS)]
    Console(width=240).print("\n".join(table(head, [_row(name, one) for name, one in found.items()])), markup=False)


def count(name: str, method: TeachingMethod, side: int) -> dict[str, float]:
    """Return GiB of weights and passes, and how many numbers learn."""
    # it reads values of its own when it is made
    scheduler: Any = diffusers.DDIMScheduler() if name == "SDXL" else diffusers.FlowMatchEulerDiscreteScheduler()
    with FakeTensorMode(allow_non_fake_inputs=True), _bfloat16():
        pipe = pipeline(name, scheduler)
        pipe.set_progress_bar_config(disable=True)
        denoiser: Any = getattr(pipe, "unet", None) or pipe.transformer
        concepts = new_concepts(PROMPT, pipe.tokenizer)
        for tokenizer, _ in text_parts(pipe):  # the new rows weigh nothing
            tokenizer.add_tokens([concept.placeholder for concept in concepts])
        sizes = weights(denoiser)
        encoders = [encoder for _, encoder in text_parts(pipe)]
        settings = replace(method.settings_for(denoiser), detach_start=False)
        with patch.object(nn.Module, "to", _stays):  # fake tensors cannot be moved
            learns = add_lora(denoiser, method.weights, method.rank or 4, 0)
        embeddings = LearntEmbeddings(pipe, concepts).requires_grad_(method.trains_embeddings)
        parameters = [*learns.values(), *(each for each in embeddings.parameters() if each.requires_grad)]
        for module in (*encoders, pipe.vae):
            module.requires_grad_(False)
        objective = Objective(pipe, method.loss, settings, concepts, lambda: torch.autocast("cpu", torch.bfloat16))
        shown = [Example(torch.zeros(3, side, side), torch.ones(1, side, side), PROMPT)]
        prior = [Example(torch.zeros(3, side, side), torch.ones(1, side, side), "a cat and a dog")]
        cells = side // 16  # packed latents, two pixels of them a cell
        with (
            _known_size((cells, cells)),
            embeddings.installed(),
            recomputing(parts_of(denoiser)),
            Living() as living,
            objective.losses(shown, prior, (side, side), torch.Generator()) as losses,
        ):
            losses["loss"].backward()
    numbers = sum(each.numel() for each in parameters)
    return {
        "learns": numbers,
        "denoiser": sizes["all"],
        "denoiser_linear": sizes["linear"],
        "largest": sizes["largest"],
        "encoders": sum(each.numel() for encoder in encoders for each in encoder.parameters()),
        "encoders_linear": sum(
            module.weight.numel()
            for encoder in encoders
            for module in encoder.modules()
            if isinstance(module, nn.Linear)
        ),
        "vae": sum(each.numel() for each in pipe.vae.parameters()),
        # parameter and two moments in float32; the gradient lives in the passes
        "optimizer_gib": 12 * numbers / GIB,
        "passes_gib": living.peak / GIB,
    }


def pipeline(name: str, scheduler: Any) -> Any:
    """Return the pipeline of a model, to be called where tensors are fake."""
    published = MODELS[name.removesuffix(_SMALL)]
    denoiser = published.build()
    denoiser.requires_grad_(False)
    channels = 4 if name == "SDXL" else 16
    vae = diffusers.AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=channels,
        sample_size=1024,
    )
    tokenizer = _tokenizer(77)
    clip_l, clip_g, t5 = _clip(_CLIP_L), _clip(_CLIP_G, projection=1280), None
    if name == "SDXL":
        return diffusers.StableDiffusionXLPipeline(
            vae, CLIPTextModel(clip_l), CLIPTextModelWithProjection(clip_g), tokenizer, _tokenizer(77), denoiser,
            scheduler, add_watermarker=False,
        )  # fmt: skip
    if not name.endswith(_SMALL):
        t5 = T5EncoderModel(T5Config(vocab_size=32128, dropout_rate=0.0, **_T5))
    if name == "FLUX.1-dev":
        return diffusers.FluxPipeline(scheduler, vae, CLIPTextModel(clip_l), tokenizer, t5, _tokenizer(512), denoiser)
    return diffusers.StableDiffusion3Pipeline(
        denoiser, scheduler, vae, CLIPTextModelWithProjection(clip_l), tokenizer, CLIPTextModelWithProjection(clip_g),
        _tokenizer(77), t5, None if t5 is None else _tokenizer(256),
    )  # fmt: skip


def total(found: dict[str, float], way: str) -> float:
    """Return the GiB of everything, in one of `WAYS`."""
    parts = [("denoiser", way != "bf16"), ("encoders", way == WAYS[2])]
    bytes_ = 2 * found["vae"]
    for part, is_int8 in parts:
        bits = BITS["int8"] if is_int8 else 16
        bytes_ += (bits * found[f"{part}_linear"] + 16 * (found[part] - found[f"{part}_linear"])) / 8
    one = 0.0 if way == "bf16" else 2 * found["largest"]  # is dequantised at a time
    return (bytes_ + one) / GIB + found["optimizer_gib"] + found["passes_gib"]


def _row(name: str, found: dict[str, float]) -> list[str]:
    ways = [total(found, way) for way in WAYS]
    fits = [next((way for way, gib in zip(WAYS, ways, strict=True) if gib <= card - RESERVE), "-") for card in CARDS]
    weight = (found["denoiser"] + found["encoders"] + found["vae"]) * 2 / GIB
    return [
        name, f"{found['learns'] / 1e6:.2f} M", f"{weight:.1f}", f"{found['encoders'] * 2 / GIB:.1f}",
        f"{found['passes_gib']:.1f}", *(f"{gib:.1f}" for gib in ways), *fits,
    ]  # fmt: skip


def _stays(module: nn.Module, *_: Any, **__: Any) -> nn.Module:
    """Return a module where it is."""
    return module


def _clip(sizes: dict[str, int], projection: int = 768) -> CLIPTextConfig:
    return CLIPTextConfig(vocab_size=_WORDS, projection_dim=projection, max_position_embeddings=77, **sizes)


def _tokenizer(length: int) -> Any:
    """Return any tokenizer: only how many tokens a text is padded to matters."""
    tokenizer = build_tokenizer()
    tokenizer.model_max_length = length
    return tokenizer


@contextmanager
def _bfloat16() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def _known_size(size: tuple[int, int]) -> Iterator[None]:
    """Let the size of packed latents be known, which is read from values that are not there."""
    before = Layout.latents_size
    Layout.latents_size = lambda layout, arguments: (  # pyright: ignore[reportAttributeAccessIssue]
        size if layout.packed_size is not None else before(layout, arguments)
    )
    try:
        yield
    finally:
        Layout.latents_size = before  # pyright: ignore[reportAttributeAccessIssue]


if __name__ == "__main__":
    typer.run(main)
