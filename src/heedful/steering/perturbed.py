"""Pipelines with perturbed-attention guidance (PAG), whose processors take a batch apart by its kinds of rows.

A pass with the conditional rows alone has no such kinds, so it runs with the processors that stood there before.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from diffusers.models import attention_processor as processors

from heedful.attention import Parts, attribute, held
from heedful.errors import UnsupportedPipeline

PLAIN = {
    "PAGIdentitySelfAttnProcessor2_0": "AttnProcessor2_0",
    "PAGCFGIdentitySelfAttnProcessor2_0": "AttnProcessor2_0",
    "PAGJointAttnProcessor2_0": "JointAttnProcessor2_0",
    "PAGCFGJointAttnProcessor2_0": "JointAttnProcessor2_0",
    "PAGHunyuanAttnProcessor2_0": "HunyuanAttnProcessor2_0",
    "PAGCFGHunyuanAttnProcessor2_0": "HunyuanAttnProcessor2_0",
    "PAGIdentitySanaLinearAttnProcessor2_0": "SanaLinearAttnProcessor2_0",
    "PAGCFGSanaLinearAttnProcessor2_0": "SanaLinearAttnProcessor2_0",
}
"""Which of diffusers' processors does for all rows what these do for those that are not perturbed."""


@contextmanager
def unperturbed(parts: Parts) -> Iterator[None]:
    """Let no attention among `parts` be perturbed while the block is open.

    Raises `UnsupportedPipeline` for a perturbation that is not known.
    """
    with ExitStack() as stack:
        for part in parts:
            own = type(attribute(part, "processor")).__name__
            if not own.startswith("PAG"):
                continue
            if own not in PLAIN:
                raise UnsupportedPipeline(
                    f"Expected perturbed attention that heedful knows ({', '.join(PLAIN)}), got {own}. Pass "
                    "pag_scale=0 to the pipeline."
                )
            plain: Any = getattr(processors, PLAIN[own])()
            stack.enter_context(held(part, "processor", plain))
        yield
