"""The world's own CLIP: a small `CLIPModel` whose cosine says how well an image and a caption of the world agree.

An ordinary transformers model and processor; scores that take any CLIP take this one.
"""

from pathlib import Path
from typing import Any, cast

from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor, CLIPTokenizer

from heedful.errors import ModelNotFound
from heedful.whole_models import load_whole
from heedful.world.tokenizer import LENGTH, build_tokenizer

FOLDER = "clip"
EMBEDDING_WIDTH = 64

VISION: dict[str, Any] = {
    "hidden_size": 128,
    "intermediate_size": 512,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 64,
    "patch_size": 8,
}
TEXT: dict[str, Any] = {
    "hidden_size": 96,
    "intermediate_size": 384,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": LENGTH,
}


def build_clip(tokenizer: CLIPTokenizer, **changes: Any) -> CLIPModel:
    """The model with random weights; `changes` overrides fields of both halves (tests use smaller ones)."""
    text = TEXT | {
        "vocab_size": len(tokenizer),
        "bos_token_id": cast(int, tokenizer.bos_token_id),
        "eos_token_id": cast(int, tokenizer.eos_token_id),
        "pad_token_id": cast(int, tokenizer.pad_token_id),
    }
    return CLIPModel(
        CLIPConfig(
            text_config=text | changes,
            vision_config=VISION | changes,
            projection_dim=EMBEDDING_WIDTH,
            logit_scale_init_value=2.66,
        )
    )


def build_processor() -> CLIPProcessor:
    """Images of any size to 64x64 in [-1, 1]; captions to 16 tokens."""
    images = CLIPImageProcessorPil(
        size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return CLIPProcessor(image_processor=images, tokenizer=build_tokenizer())


def load_clip(weights: Path) -> tuple[CLIPModel, CLIPProcessor]:
    """Load the model and the processor of a world folder; raises `ModelNotFound` if they are not there."""
    folder = weights / FOLDER
    if not (folder / "config.json").is_file():
        raise ModelNotFound(f"Expected a CLIP model in {folder}, found none. Train one with `heedful world train`.")
    model = load_whole(CLIPModel, str(folder), is_strict=True, local_files_only=True, use_safetensors=True)
    processor = CLIPProcessor.from_pretrained(str(folder), local_files_only=True)
    return model.float().eval().requires_grad_(False), processor
