"""Tiny random language models, such as newer pipelines read prompts with: two layers, a width of 16, no download."""

from typing import Any

import torch
from transformers import (
    BertConfig,
    BertModel,
    Gemma2Config,
    Gemma2Model,
    GlmConfig,
    GlmModel,
    Mistral3Config,
    Mistral3ForConditionalGeneration,
    MistralConfig,
    PixtralImageProcessorPil,
    PixtralVisionConfig,
    ProcessorMixin,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    Qwen2VLProcessor,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    T5GemmaConfig,
    T5GemmaEncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

from tests.tokenizers import build_mistral, kolors

TEXT: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
}


def built(kind: Any, config: Any) -> Any:
    """A model of a `kind`, random and the same each time."""
    torch.manual_seed(0)
    return kind(config).eval()


def tiny_t5(length: int, width: int = 16, kind: Any = T5EncoderModel, config: Any = T5Config) -> Any:
    """The encoder of T5, or of a model like it, for a vocabulary of `length` tokens."""
    sizes = {"vocab_size": length, "d_model": width, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
    return built(kind, config(**sizes, dropout_rate=0.0, pad_token_id=0))


def tiny_qwen3(length: int) -> Qwen3ForCausalLM:
    """For a vocabulary of `length` tokens."""
    return built(Qwen3ForCausalLM, Qwen3Config(vocab_size=length, **TEXT))


def tiny_qwen3_model(length: int) -> Qwen3Model:
    """The same without its last layer, as Z-Image has it."""
    return tiny_qwen3(length).model


def tiny_gemma2(length: int) -> Gemma2Model:
    """For a vocabulary of `length` tokens."""
    return built(Gemma2Model, Gemma2Config(vocab_size=length, **TEXT))


def tiny_glm(length: int) -> GlmModel:
    """For a vocabulary of `length` tokens."""
    return built(GlmModel, GlmConfig(vocab_size=length, **TEXT))


def tiny_bert(length: int) -> BertModel:
    """For a vocabulary of `length` tokens."""
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    return built(BertModel, BertConfig(vocab_size=length, **sizes))


def tiny_umt5(length: int) -> UMT5EncoderModel:
    """For a vocabulary of `length` tokens."""
    return tiny_t5(length, kind=UMT5EncoderModel, config=UMT5Config)


def tiny_t5_gemma(length: int) -> Any:
    """The encoder of T5Gemma, for a vocabulary of `length` tokens."""
    half = TEXT | {"vocab_size": length}
    config = T5GemmaConfig(encoder=half, decoder=half, is_encoder_decoder=False, vocab_size=length)
    return built(T5GemmaEncoderModel, config).encoder


def tiny_qwen_vl(length: int, image_token: int) -> Qwen2_5_VLForConditionalGeneration:
    """For a vocabulary of `length` tokens, of which `image_token` stands for a part of an image."""
    text = TEXT | {
        "vocab_size": length,
        "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0},
    }
    vision = {
        "depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 16,
        "patch_size": 14, "fullatt_block_indexes": [0],
    }  # fmt: skip
    config = Qwen2_5_VLConfig(text_config=text, vision_config=vision, image_token_id=image_token)
    return built(Qwen2_5_VLForConditionalGeneration, config)


def tiny_mistral3(length: int) -> Mistral3ForConditionalGeneration:
    """For a vocabulary of `length` tokens; its eyes are not used by text alone."""
    vision = PixtralVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, head_dim=8, image_size=28
    )
    text = MistralConfig(vocab_size=length, **TEXT)
    return built(Mistral3ForConditionalGeneration, Mistral3Config(text_config=text, vision_config=vision))


class TextAndImage(Qwen2VLProcessor):
    """Qwen's own processor without its part for videos, which asks for torchvision."""

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: str | None = None):
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.image_token_id, self.video_token_id = tokenizer.convert_tokens_to_ids([self.image_token, self.video_token])
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)


def qwen_processor(tokenizer: Any) -> TextAndImage:
    """Reads images beside text."""
    return TextAndImage(Qwen2VLImageProcessorPil(max_pixels=56 * 56), tokenizer, tokenizer.chat_template)


def tiny_chat_glm(length: int) -> Any:
    """For a vocabulary of `length` tokens; diffusers' own, for Kolors."""
    torch.manual_seed(0)
    module = kolors("text_encoder")
    config = module.ChatGLMConfig(
        num_layers=2, padded_vocab_size=length, hidden_size=16, ffn_hidden_size=32, kv_channels=8,
        num_attention_heads=2, seq_length=64, add_bias_linear=False, add_qkv_bias=True, original_rope=True,
    )  # fmt: skip
    model = module.ChatGLMModel(config, empty_init=False).eval()
    for name, parameter in model.named_parameters():
        if "layernorm" in name:
            torch.nn.init.ones_(parameter)  # it is made without a value
    return model


class TextOnly(ProcessorMixin):
    """What Pixtral's processor does with text; its own class asks for torchvision, which its images alone need."""

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: str | None = None):
        super().__init__(image_processor, tokenizer, chat_template=chat_template)


def pixtral_processor() -> TextOnly:
    """FLUX.2 calls it its tokenizer; it pads on the left, as Mistral's own does."""
    tokenizer = build_mistral()
    return TextOnly(PixtralImageProcessorPil(), tokenizer, tokenizer.chat_template)
