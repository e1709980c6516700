"""Tiny models with random weights of the classes that scores load, written into folders as `save_pretrained` does.

Import as `from tests.score_models import clip_folder, ...`. What they say means nothing; that they are loaded, asked
and read as the published ones are, is real. Their weights are large, so that different pictures get different answers.
"""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    BertTokenizer,
    BitImageProcessorPil,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipForQuestionAnswering,
    BlipImageProcessorPil,
    CLIPImageProcessorPil,
    Dinov2Config,
    Dinov2Model,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessorPil,
)

from heedful.world.clip import build_clip
from heedful.world.tokenizer import build_tokenizer

SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "initializer_range": 0.5,
}
_WORDS = (
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "yes", "no", "a", "an", "the", "?", "picture", "of", "cat", "dog",
    "clock", "blue", "red", "with", "and", "crown", "bird",
)  # fmt: skip


def clip_folder(folder: Path) -> Path:
    """A CLIPModel with the world's words."""
    tokenizer = build_tokenizer()
    CLIPImageProcessorPil(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64}).save_pretrained(folder)
    return _save(folder, build_clip(tokenizer, **SMALL), tokenizer)


def dino_folder(folder: Path) -> Path:
    """A Dinov2Model that looks at 28x28 pixels."""
    torch.manual_seed(0)
    model = Dinov2Model(Dinov2Config(**SMALL, image_size=28, patch_size=14))
    processor = BitImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 28, "width": 28})
    return _save(folder, model, processor)


def caption_folder(folder: Path) -> Path:
    """A BlipForConditionalGeneration of 22 words."""
    return _blip(folder, BlipForConditionalGeneration)


def vqa_folder(folder: Path) -> Path:
    """A BlipForQuestionAnswering of the same words."""
    return _blip(folder, BlipForQuestionAnswering)


def owl_folder(folder: Path) -> Path:
    """An Owlv2ForObjectDetection of 2x2 boxes, with the world's words."""
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    text = SMALL | {"vocab_size": len(tokenizer), "max_position_embeddings": 16}
    text |= {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = Owlv2Config(
        text_config=text, vision_config=SMALL | {"image_size": 32, "patch_size": 16}, projection_dim=16
    )
    processor = Owlv2ImageProcessorPil(size={"height": 32, "width": 32})
    return _save(folder, Owlv2ForObjectDetection(config), processor, tokenizer)


def _blip(folder: Path, kind: Any) -> Path:
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(_WORDS), encoding="utf-8")
    tokenizer = BertTokenizer(str(folder / "vocab.txt"))
    text = SMALL | {
        "encoder_hidden_size": 16,
        "vocab_size": len(_WORDS) + 2,  # BLIP's [DEC] and [ENC]
        "max_position_embeddings": 64,
        "bos_token_id": len(_WORDS),
        "pad_token_id": tokenizer.pad_token_id,
        "sep_token_id": tokenizer.sep_token_id,
    }
    config = BlipConfig(text_config=text, vision_config=SMALL | {"image_size": 32, "patch_size": 16}, projection_dim=16)
    processor = BlipImageProcessorPil(size={"height": 32, "width": 32})
    return _save(folder, kind(config), processor, tokenizer)


def _save(folder: Path, *parts: Any) -> Path:
    for part in parts:
        part.save_pretrained(folder)
    return folder
