"""Small tokenizers of the two kinds that text encoders use, built here so that nothing is fetched.

Import as `from tests.tokenizers import build_clip, build_t5`.
"""

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

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
