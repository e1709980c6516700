"""Small tokenizers of the two kinds that text encoders use, built here so that nothing is fetched.

Import as `from tests.tokenizers import build_clip, build_t5`.
"""

import warnings
from importlib import import_module
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertTokenizer, CLIPTokenizer, PreTrainedTokenizerFast, Qwen2Tokenizer

from heedful.attention import held

# Words that are one token; every other word falls into pieces, most of them single characters.
WHOLE = ["a", "an", "and", "the", "cat", "dog", "car", "red", "blue", "clock", "on", "mat", "with", "'", "'s", "<cat1>"]


def build_clip(max_length: int = 77, placeholders: tuple[str, ...] = ("<cat1>", "<dog1>")) -> CLIPTokenizer:
    """Return CLIP's tokenizer with a small vocabulary: `WHOLE` words are one token, "teddy" is two, others are many."""
    vocabulary: dict[str, int] = {}
    merges: list[tuple[str, str]] = []

    def learn(pieces: list[str]) -> None:
        while len(pieces) > 1:
            merges.append((pieces[0], pieces[1]))
            pieces = [pieces[0] + pieces[1], *pieces[2:]]
            vocabulary.setdefault(pieces[0], len(vocabulary))

    for character in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocabulary[character] = len(vocabulary)
        vocabulary[f"{character}</w>"] = len(vocabulary)
    for word in WHOLE:
        learn([*word[:-1], f"{word[-1]}</w>"])
    learn(list("ted"))
    learn(["d", "y</w>"])
    for special in ("<|startoftext|>", "<|endoftext|>"):
        vocabulary[special] = len(vocabulary)
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=list(dict.fromkeys(merges)), model_max_length=max_length)
    tokenizer.add_tokens(list(placeholders))
    return tokenizer


def build_t5(max_length: int = 64) -> PreTrainedTokenizerFast:
    """Return a tokenizer of T5's kind: pieces that begin with the space before the word, no start token."""
    space = "\N{LOWER ONE EIGHTH BLOCK}"
    scores = {f"{space}{word}": -1.0 for word in WHOLE} | {space: -5.0} | {chr(code): -9.0 for code in range(33, 127)}
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0), *scores.items()]
    backend = Tokenizer(models.Unigram(vocabulary, unk_id=2))
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    names = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=max_length, **names)


def build_qwen(max_length: int = 512) -> Qwen2Tokenizer:
    """Return a tokenizer of Qwen's kind: the space is of the word after it, no start token, a chat template."""
    vocabulary = {character: index for index, character in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges: list[tuple[str, str]] = []
    for word in WHOLE:
        pieces = list(word)
        while len(pieces) > 1:
            merges.append((pieces[0], pieces[1]))
            pieces = [pieces[0] + pieces[1], *pieces[2:]]
            vocabulary.setdefault(pieces[0], len(vocabulary))
        merges.append(("\u0120", word))
        vocabulary.setdefault(f"\u0120{word}", len(vocabulary))
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=list(dict.fromkeys(merges)), model_max_length=max_length)
    names = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    tokenizer.add_special_tokens({"additional_special_tokens": names})
    tokenizer.add_tokens(["<think>", "</think>"])
    tokenizer.chat_template = _QWEN_CHAT
    return tokenizer


_QWEN_CHAT = """{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"""  # noqa: E501
"""What Qwen3's own template makes of one turn: its user's words, and an empty thought where it is not to think."""


def build_mistral(max_length: int = 512) -> PreTrainedTokenizerFast:
    """Return a tokenizer of Mistral's kind: it starts with <s>, pads on the left, and has a template with a system."""
    qwen = build_qwen()
    backend = Tokenizer.from_str(qwen.backend_tokenizer.to_str())
    names = ["<s>", "</s>", "<pad>", "[IMG]", "[IMG_BREAK]", "[IMG_END]", "[INST]", "[/INST]", "[SYSTEM]"]
    backend.add_special_tokens(names)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", backend.token_to_id("<s>"))]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=max_length,
        padding_side="left",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        extra_special_tokens={
            "image_token": "[IMG]",
            "image_break_token": "[IMG_BREAK]",
            "image_end_token": "[IMG_END]",
        },
    )
    tokenizer.chat_template = _MISTRAL_CHAT
    return tokenizer


_MISTRAL_CHAT = """{{- bos_token }}{%- for message in messages %}
{%- if message.role == 'system' %}{{- '[SYSTEM]' + message.content[0].text + '[/SYSTEM]' }}
{%- else %}{{- '[INST]' }}{%- for block in message.content %}{%- if block.type == 'text' %}{{- block.text }}{%- endif %}{%- endfor %}{{- '[/INST]' }}{%- endif %}{%- endfor %}"""  # noqa: E501
"""What Mistral's own template makes of a system's text and a user's words."""


def build_gemma(max_length: int = 64) -> PreTrainedTokenizerFast:
    """Return a tokenizer of Gemma's kind: pieces as T5's, but with a start token and no end token."""
    backend = Tokenizer.from_str(build_t5().backend_tokenizer.to_str())
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    backend.add_special_tokens(["<bos>"])
    backend.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", backend.token_to_id("<bos>"))]
    )
    names = {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<bos>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=max_length, **names)


def build_glm(max_length: int = 512) -> PreTrainedTokenizerFast:
    """Return a tokenizer of GLM's kind: two tokens before the text, padding on the left."""
    backend = Tokenizer.from_str(build_qwen().backend_tokenizer.to_str())
    names = ["[gMASK]", "<sop>"]
    backend.add_special_tokens(names)
    backend.post_processor = processors.TemplateProcessing(
        single="[gMASK] <sop> $A", special_tokens=[(name, backend.token_to_id(name)) for name in names]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, model_max_length=max_length, padding_side="left", pad_token="<|endoftext|>"
    )


def build_bert(max_length: int = 77) -> BertTokenizer:
    """Return BERT's tokenizer with a small vocabulary: words, or their single characters."""
    letters = [chr(code) for code in range(33, 127)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WHOLE, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {word: index for index, word in enumerate(dict.fromkeys(words))}
    return BertTokenizer(vocab=vocabulary, model_max_length=max_length)


class Pieces:
    """What Kolors' tokenizer asks of SentencePiece, which is not installed: pieces, and their numbers."""

    def __init__(self, path: str):
        self._backend = build_t5().backend_tokenizer
        self.n_words = self._backend.get_vocab_size()
        self.bos_id, self.eos_id, self.pad_id = 1, 1, 0
        names = ["[MASK]", "[gMASK]", "[sMASK]", "sop", "eop", "<|system|>", "<|user|>"]
        self.special_tokens = {name: self.n_words + index for index, name in enumerate(names)}
        self.index_special_tokens = {index: name for name, index in self.special_tokens.items()}
        self.n_words += len(names)

    def tokenize(self, text: str, encode_special_tokens: bool = False) -> list[str]:
        return self._backend.encode(text, add_special_tokens=False).tokens

    def convert_token_to_id(self, token: str) -> int:
        return self.special_tokens.get(token, self._backend.token_to_id(token))

    def convert_id_to_token(self, index: int) -> str:
        return self.index_special_tokens.get(index) or self._backend.id_to_token(index)


def build_chat_glm() -> Any:
    """Return Kolors' own tokenizer: without offsets, two tokens before the text, padded on the left."""
    module = kolors("tokenizer")
    with held(module, "SPTokenizer", Pieces):
        return module.ChatGLMTokenizer("none")


def kolors(name: str) -> Any:
    """Return a module of diffusers' Kolors, which warns of its own old ways when it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(f"diffusers.pipelines.kolors.{name}")
