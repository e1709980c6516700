"""Which of a pipeline's tokenizers is asked for the tokens that its denoiser sees."""

from typing import Any

from heedful.errors import UnsupportedPipeline
from heedful.prompts import Tokenizer


def tokenizer_of(pipe: Any, *names: str) -> Tokenizer:
    """Return the first tokenizer of `pipe` under one of `names`; raises `UnsupportedPipeline` if it has none."""
    found = (getattr(pipe, name, None) for name in names)
    tokenizer = next((one for one in found if one is not None), None)
    if tokenizer is None:
        raise UnsupportedPipeline(
            f"Expected a pipeline with a tokenizer ({' or '.join(names)}), got {type(pipe).__name__}, which has "
            "none. Use a pipeline whose denoiser looks at the tokens of a prompt."
        )
    return tokenizer
