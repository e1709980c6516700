"""New words for a pipeline's text encoders, and the rows of their embeddings that are learnt."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import T5EncoderModel

from heedful.attention import Pipeline, TeachablePipeline, replaced
from heedful.errors import ConceptsDoNotFit
from heedful.teaching.concepts import NewConcept

_CLIP, _T5 = ("clip_l", "clip_g"), "t5"
"""How files call the text encoders of a pipeline that has several, as diffusers' training scripts do."""
RARE = ("ktn", "pll", "ucd")
"""Tokens of CLIP that hardly ever occur, in the order in which diffusers' Custom Diffusion gives them to words."""

LEGACY_END = 2
"""The end token in the configs of most published CLIPs, a mistake: transformers takes the highest token instead."""
_PARTS = tuple((f"tokenizer{number}", f"text_encoder{number}") for number in ("", "_2", "_3"))

Vectors = Float[Tensor, "vector _"]


def text_parts(pipe: Pipeline) -> list[tuple[Any, Any]]:
    """Return tokenizer and text encoder of a pipeline: one pair; two of SDXL and FLUX.1; up to three of SD3."""
    found = [(getattr(pipe, tokenizer, None), getattr(pipe, encoder, None)) for tokenizer, encoder in _PARTS]
    return [(tokenizer, encoder) for tokenizer, encoder in found if tokenizer is not None and encoder is not None]


def encoder_names(pipe: Pipeline) -> tuple[str, ...]:
    """Return how files call the text encoders of a pipeline with several, in order: clip_l, clip_g, t5."""
    clips = iter(_CLIP)
    return tuple(_T5 if isinstance(encoder, T5EncoderModel) else next(clips) for _, encoder in text_parts(pipe))


def check_vectors(pipe: Pipeline, vectors: Mapping[NewConcept, Sequence[Vectors]]) -> None:
    """Raise `ConceptsDoNotFit` if a tokenizer knows a word already, or if the vectors do not fit an encoder."""
    parts = text_parts(pipe)
    for concept, each in vectors.items():
        _check(concept, each, parts)


def add_concepts(pipe: TeachablePipeline, vectors: Mapping[NewConcept, Sequence[Vectors]]) -> None:
    """Give a pipeline new words; `vectors` holds, for each, what each text encoder reads for it.

    It is `load_textual_inversion` of diffusers, after `check_vectors`; where a pipeline has none (Stable Diffusion 3),
    the same is done here. In addition, a CLIP whose config has the wrong end token, as that of SDXL and later models
    has, pools at the right one: it looks for the token with the highest number, which is a new word once there is one.
    """
    check_vectors(pipe, vectors)
    load: Any = getattr(pipe, "load_textual_inversion", _add_word)
    for concept, each in vectors.items():
        for (tokenizer, encoder), rows in zip(text_parts(pipe), each, strict=True):
            load({concept.placeholder: rows}, token=concept.placeholder, tokenizer=tokenizer, text_encoder=encoder)
    for tokenizer, encoder in text_parts(pipe):
        _pool_at_the_end(tokenizer, encoder)


def _add_word(rows: Mapping[str, Vectors], token: str, tokenizer: Any, text_encoder: Any) -> None:
    tokenizer.add_tokens(token)
    text_encoder.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        weight = text_encoder.get_input_embeddings().weight
        weight[tokenizer.convert_tokens_to_ids(token)] = rows[token][0].to(weight)


def _pool_at_the_end(tokenizer: Any, encoder: Any) -> None:
    for module in encoder.modules():
        if type(module).__name__.startswith("CLIPText") and getattr(module, "eos_token_id", None) == LEGACY_END:
            module.eos_token_id = tokenizer.eos_token_id


def initial_vectors(
    pipe: Pipeline, concepts: Sequence[NewConcept], initializers: Sequence[str] | None, count: int = 1
) -> dict[NewConcept, list[Vectors]]:
    """Return what new words mean before anything is learnt: `count` times the embedding of another token.

    `initializers` names a word for each concept, which must be one token. Without them, rare tokens are taken in order
    (Custom Diffusion), and for a tokenizer that has not got them, or for a fourth concept, the class noun.
    Raises `ConceptsDoNotFit`.
    """
    if count > 1 and not hasattr(pipe, "load_textual_inversion"):
        raise ConceptsDoNotFit(
            f"Expected one vector for each word, got {count}: a {type(pipe).__name__} reads one token for each. "
            "Teach it with one."
        )
    if initializers is not None and len(initializers) != len(concepts):
        raise ConceptsDoNotFit(
            f"Expected one initializer token for each of {len(concepts)} placeholders, got {len(initializers)}: "
            f"{', '.join(initializers)}. Name as many as there are placeholders."
        )
    vectors: dict[NewConcept, list[Vectors]] = {}
    for number, concept in enumerate(concepts):
        vectors[concept] = []
        for tokenizer, encoder in text_parts(pipe):
            if initializers is not None:
                ids = _ids(initializers[number], tokenizer)
                if len(ids) != 1:
                    raise ConceptsDoNotFit(
                        f"Expected an initializer that is one token, got {initializers[number]!r}, which is {len(ids)} "
                        "to this tokenizer. Take a shorter or more usual word, such as the class noun."
                    )
            else:
                rare = _ids(RARE[number], tokenizer) if number < len(RARE) else []
                ids = rare if len(rare) == 1 else _ids(concept.noun, tokenizer)
            known = encoder.get_input_embeddings().weight.detach()
            vectors[concept].append(known[ids].float().mean(0, keepdim=True).repeat(count, 1))  # -> (vector, width)
    return vectors


class LearntEmbeddings(nn.Module):
    """The rows of some words in each text encoder, in float32, as parameters of their own.

    The encoders' own matrices stay as they are and take no gradient: the published code gives its whole matrix to
    AdamW, whose weight decay shrinks every other word too, and saves only the new rows.
    """

    def __init__(self, pipe: Pipeline, concepts: Sequence[NewConcept], vectors: int = 1):
        super().__init__()
        self._parts = text_parts(pipe)
        self._concepts, self._count = tuple(concepts), vectors
        tokens = [token for concept in concepts for token in concept.tokens(vectors)]
        self._ids = [tokenizer.convert_tokens_to_ids(tokens) for tokenizer, _ in self._parts]
        self.rows = nn.ParameterList(
            encoder.get_input_embeddings().weight.detach()[ids].float().clone()
            for (_, encoder), ids in zip(self._parts, self._ids, strict=True)
        )

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Let the text encoders read these rows, with gradients, while the block is open."""
        with ExitStack() as stack:
            for (_, encoder), ids, rows in zip(self._parts, self._ids, self.rows, strict=True):
                for table in _tables(encoder):
                    stack.enter_context(replaced(table, "forward", _reading(table.forward, ids, rows)))
            yield

    @torch.no_grad()
    def write(self) -> None:
        """Write the rows into the encoders' own matrices."""
        for (_, encoder), ids, rows in zip(self._parts, self._ids, self.rows, strict=True):
            weight = encoder.get_input_embeddings().weight
            weight[ids] = rows.to(weight)

    def vectors(self) -> dict[NewConcept, list[Vectors]]:
        """Return the rows of each concept, one tensor for each text encoder, on the CPU."""
        each = [rows.detach().cpu().split(self._count) for rows in self.rows]
        return {concept: [rows[number].clone() for rows in each] for number, concept in enumerate(self._concepts)}


def _tables(encoder: Any) -> list[nn.Module]:
    """Return the modules that read an encoder's embeddings: T5 has two with the same weights, of which one is read."""
    weight = encoder.get_input_embeddings().weight
    return [each for each in encoder.modules() if isinstance(each, nn.Embedding) and each.weight is weight]


def _reading(forward: Any, ids: Sequence[int], rows: Tensor) -> Any:
    def read(tokens: Tensor) -> Tensor:
        embedded = forward(tokens)
        for number, token in enumerate(ids):
            embedded = torch.where((tokens == token)[..., None], rows[number].to(embedded), embedded)
        return embedded

    return read


def _ids(word: str, tokenizer: Any) -> list[int]:
    return tokenizer(word, add_special_tokens=False).input_ids


def _check(concept: NewConcept, vectors: Sequence[Vectors], parts: Sequence[tuple[Any, Any]]) -> None:
    if len(vectors) != len(parts):
        raise ConceptsDoNotFit(
            f"Expected vectors of {concept.placeholder} for {len(parts)} text encoders, got {len(vectors)}: "
            "these concepts were learnt on another kind of pipeline. Load them into one like theirs."
        )
    for (tokenizer, encoder), rows in zip(parts, vectors, strict=True):
        if concept.placeholder in tokenizer.get_vocab():
            raise ConceptsDoNotFit(
                f"Expected a new word, but the tokenizer knows {concept.placeholder} already. Load the concepts into a "
                "fresh pipeline, call pipe.unload_textual_inversion() first, or teach them under another name."
            )
        width = encoder.get_input_embeddings().weight.shape[1]
        if rows.shape[1] != width:
            raise ConceptsDoNotFit(
                f"Expected vectors of width {width} for {concept.placeholder}, got {rows.shape[1]}: they were "
                "learnt on another base model. Load the one that their card names."
            )
