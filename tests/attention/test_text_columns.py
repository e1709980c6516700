"""The tokens that are read for a concept are its own in what the denoiser gets, whatever a pipeline does to its text.

Text encoders are made to give back, at each position, the token that they were given there; so each column of what the
denoiser gets says which token it stands for.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from heedful.attention import find_denoiser, layout_of
from heedful.attention.intercept import replaced
from heedful.guidance import NONE, guide
from heedful.steering.batching import copies_in
from tests.every_pipeline import PIPELINES, Run
from tests.family_pipelines import FAMILY_PIPELINES

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*deprecated.*:FutureWarning"),
]

OLD = ("StableDiffusionPipeline", "StableDiffusion3Pipeline", "FluxPipeline", "PixArtSigmaPipeline")
ALL = {name: PIPELINES[name] for name in OLD} | FAMILY_PIPELINES
SPACE = "\N{LOWER ONE EIGHTH BLOCK}"


def as_ids(value: Any, ids: Tensor) -> Any:
    """Return an output of a text encoder with the token at each position in place of what it made of it."""
    if isinstance(value, Tensor):
        for own in (ids, ids.T):  # Kolors' encoder puts the positions first
            if value.ndim == 3 and value.shape[:2] == own.shape:
                return own[..., None].expand(value.shape).to(value.dtype)
        return value
    if isinstance(value, tuple | list):
        return type(value)(as_ids(one, ids) for one in value)
    return value


@contextmanager
def reading_ids(pipe: Any) -> Iterator[None]:
    """Let each text encoder of `pipe` give back the tokens that it gets."""

    def watched(forward: Callable[..., Any]) -> Callable[..., Any]:
        def forwarded(input_ids: Tensor | None = None, *args: Any, **kwargs: Any) -> Any:
            output = forward(input_ids, *args, **kwargs)
            assert input_ids is not None
            for name, value in output.items():
                output[name] = as_ids(value, input_ids)
            return output

        return forwarded

    encoders = [part for name, part in pipe.components.items() if name.startswith("text_encoder") and part is not None]
    with ExitStack() as stack:
        for encoder in encoders:
            stack.enter_context(replaced(encoder, "forward", watched(encoder.forward)))
        yield


def names(pipe: Any, which: str, ids: list[int]) -> str:
    """Return the text of some tokens, without spaces."""
    part = getattr(pipe, which)
    tokenizer = getattr(part, "tokenizer", part) if hasattr(part, "image_processor") else part
    joined = "".join(tokenizer.convert_ids_to_tokens(ids))
    return joined.replace(SPACE, "").replace("\u0120", "").replace("</w>", "").replace("##", "")


TOKENIZERS = {
    "StableDiffusion3Pipeline": ("tokenizer", "tokenizer_3"),
    "FluxPipeline": ("tokenizer_2",),
    "FluxKontextPipeline": ("tokenizer_2",),
    "HunyuanDiTPipeline": ("tokenizer", "tokenizer_2"),
    "StableDiffusion3PAGPipeline": ("tokenizer", "tokenizer_3"),
}
"""Those whose tokens stand for a concept, one after the other; most pipelines have one."""


@pytest.mark.parametrize("name", ALL)
def test_tokens_of_each_concept_are_read_from_its_own_columns(name: str) -> None:
    run = ALL[name]()
    run.arguments["num_inference_steps"] = 1 if "strength" not in run.arguments else 2
    denoiser: Any = find_denoiser(run.pipe)
    layout = layout_of(denoiser)
    seen: list[dict[str, Any]] = []

    def listen(module: Any, args: Any, kwargs: Any) -> None:
        seen.append(layout.arguments(module, *args, **kwargs))

    handle = denoiser.register_forward_pre_hook(listen, with_kwargs=True)
    with reading_ids(run.pipe), guide(run.pipe, run.prompts, NONE) as guided:
        run()
    handle.remove()
    columns = text_of(layout, seen[0])
    whole = whole_text(run, guided.maps.prompts, layout, seen[0])
    for row, prompt in enumerate(guided.maps.prompts):
        own = columns[whole[row]]
        which = TOKENIZERS.get(name, ("tokenizer",))
        for concept in prompt.concepts:
            for part, wanted in [(concept, concept.noun), *((one, one.text) for one in concept.modifiers)]:
                tokens = [int(own[index]) for index in part.token_indices]
                share = len(tokens) // len(which)
                found = [names(run.pipe, one, tokens[i * share : (i + 1) * share]) for i, one in enumerate(which)]
                assert found == [wanted] * len(which)


def test_word_that_clip_cuts_off_is_read_from_the_columns_of_t5() -> None:
    """Stable Diffusion 3, whose CLIP reads fewer tokens than its T5."""
    pipe: Any = PIPELINES["StableDiffusion3Pipeline"]().pipe
    pipe.tokenizer_3.model_max_length = 256
    long = "a red car and " * (pipe.tokenizer.model_max_length // 4) + "a blue clock"
    seen: list[Tensor] = []

    def listen(module: Any, args: Any, kwargs: Any) -> None:
        seen.append(kwargs["encoder_hidden_states"][-1, :, 0].round())

    handle = pipe.transformer.register_forward_pre_hook(listen, with_kwargs=True)
    with reading_ids(pipe), guide(pipe, long, NONE, ["red car", "blue clock"]) as guided:
        pipe(long, height=16, width=24, num_inference_steps=1, max_sequence_length=128, output_type="latent")
    handle.remove()
    (prompt,) = guided.maps.prompts
    car, clock = ([int(seen[0][index]) for index in concept.token_indices] for concept in prompt.concepts)
    assert [names(pipe, which, [one]) for which, one in zip(("tokenizer", "tokenizer_3"), car, strict=True)] == [
        "car"
    ] * 2
    assert names(pipe, "tokenizer_3", clock) == "clock"


def text_of(layout: Any, arguments: dict[str, Any]) -> list[Tensor]:
    """Return, for each row, the token in each column of what the denoiser looks at."""
    parts = [arguments[name] for name in layout.text if arguments.get(name) is not None]
    rows = [torch.cat([part[row][:, 0] for part in parts]).round() for row in range(len(parts[0]))]
    if layout.text_shift is not None:  # tokens of a second encoder are put first, without their padding
        shifts = [layout.text_shift(arguments, row) for row in range(len(rows))]
        second = [arguments[layout.text[1]][row][:, 0] for row in range(len(rows))]
        first = [arguments[layout.text[0]][row][:, 0] for row in range(len(rows))]
        rows = [torch.cat([second[row][:by], first[row]]) for row, by in enumerate(shifts)]
    return rows


def whole_text(run: Run, prompts: Any, layout: Any, arguments: dict[str, Any]) -> list[int]:
    """Return the rows that have the condition."""
    is_guided = layout.rows(arguments) > len(prompts)
    copies, condition = copies_in(run.pipe, layout, arguments, len(run.prompts), is_guided)
    first = condition % copies * len(prompts)
    return list(range(first, first + len(prompts)))
