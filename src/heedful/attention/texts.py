"""How a pipeline's text encoders read a prompt: by which tokenizer, and with which template around it."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from heedful.errors import PromptError, UnsupportedPipeline
from heedful.prompts import NO_TEMPLATE, Prompt, Template, Tokenizer

MakeTemplate = Callable[[Any, Any, Mapping[str, Any]], Template]
"""(pipeline, tokenizer or processor, options) -> what the pipeline writes around a prompt."""

_MARK = "\N{REPLACEMENT CHARACTER}"
"""Stands for the prompt in a chat template that is split there."""


def part_of(pipe: object, *names: str) -> Any:
    """Return the first tokenizer or processor of `pipe` under one of `names`.

    Raises `UnsupportedPipeline` if it has none.
    """
    found = (getattr(pipe, name, None) for name in names)
    part = next((one for one in found if one is not None), None)
    if part is None:
        raise UnsupportedPipeline(
            f"Expected a pipeline with a tokenizer ({' or '.join(names)}), got {type(pipe).__name__}, which has "
            "none. Use a pipeline whose denoiser looks at the tokens of a prompt."
        )
    return part


def tokenizer_of(pipe: object, *names: str) -> Tokenizer:
    """Return the tokenizer of `pipe` under one of `names`, or that of a processor which stands there."""
    part = part_of(pipe, *names)
    return part.tokenizer if hasattr(part, "image_processor") else part


def reader(
    *names: str, template: MakeTemplate | None = None, change: Callable[[str], str] | None = None
) -> Callable[[Any, str, Sequence[str] | None, Mapping[str, Any]], Prompt]:
    """Return a `Layout.read_prompt` that asks the tokenizer under one of `names`, with a `template` around the text.

    `change` is what the pipeline does to the text first, if it is more than nothing.
    """

    def read(pipe: object, text: str, concepts: Sequence[str] | None, options: Mapping[str, Any]) -> Prompt:
        around = NO_TEMPLATE if template is None else template(pipe, part_of(pipe, *names), options)
        text = text if change is None else change(text)
        return Prompt.parse(text, tokenizer_of(pipe, *names), concepts, template=around)

    return read


def option(pipe: Any, name: str, options: Mapping[str, Any]) -> Any:
    """Return an option of a pipeline's call: the one that was given, or its default."""
    if name in options:
        return options[name]
    return inspect.signature(pipe.__call__).parameters[name].default


def chat(**settings: Any) -> MakeTemplate:
    """Return the template of a pipeline that lets its tokenizer write a chat in which the prompt is what a user says.

    `settings` are what it passes to `apply_chat_template`.
    """

    def make(pipe: object, tokenizer: Any, options: Mapping[str, Any]) -> Template:
        return _chat(tokenizer, _MARK, settings)

    return make


def chat_with_system(pipe: Any, tokenizer: Any, options: Mapping[str, Any]) -> Template:
    """Return the template of Ovis-Image, whose user says an instruction before the prompt; its tokens are dropped."""
    settings = {"add_generation_prompt": True, "enable_thinking": False}
    whole = _chat(tokenizer, f"{pipe.system_prompt}{_MARK}", settings)
    return replace(whole, dropped=(0, pipe.user_prompt_begin_id), adds_special=False)


def alone(pipe: object, tokenizer: Any, options: Mapping[str, Any]) -> Template:
    """Return the template of LongCat-Image, which shows the denoiser the tokens of the prompt alone."""
    return Template(adds_special=False)


def unquoted(text: str) -> str:
    """Return `text` if LongCat-Image reads it by words; raises `PromptError` for quotes, which it reads by letters."""
    from diffusers.pipelines.longcat_image import pipeline_longcat_image

    if any(is_quoted for _, is_quoted in pipeline_longcat_image.split_quotation(text)):
        raise PromptError(
            f"Expected a prompt without quotation marks, got {text!r}: this pipeline reads what stands in them letter "
            "by letter, so concepts behind them cannot be found. Write it without, or pass a heedful.prompts.Prompt "
            "with the token indices of your own text."
        )
    return text


def _chat(tokenizer: Any, content: str, settings: dict[str, Any]) -> Template:
    """Return what a tokenizer writes around the mark in what a user says."""
    chat = [{"role": "user", "content": content}]
    before, _, after = tokenizer.apply_chat_template(chat, tokenize=False, **settings).partition(_MARK)
    return Template(before, after)


def system_chat(pipe: Any, processor: Any, options: Mapping[str, Any]) -> Template:
    """Return the template of FLUX.2 dev: what the system says, and then the user."""
    chat = [
        {"role": role, "content": [{"type": "text", "text": text}]}
        for role, text in (("system", _kept(pipe, "system_message", "DEFAULT_SYSTEM_MESSAGE")), ("user", _MARK))
    ]
    written = processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=False)
    before, _, after = written.partition(_MARK)
    start = getattr(tokenizer_of(pipe, "tokenizer"), "bos_token", None)
    return Template(before, after, adds_special=start is None or not before.startswith(start))


def filled_template(pipe: Any, tokenizer: Any, options: Mapping[str, Any]) -> Template:
    """Return the template of Qwen-Image and its relatives, of whose tokens the first ones are dropped.

    One with images in it says only where the text ends, for each image becomes many tokens.
    """
    before, after = _kept(pipe, "prompt_template_encode").split("{}")
    dropped = (0, _kept(pipe, "prompt_template_encode_start_idx"))
    return Template(before, after, dropped, from_end="<|image_pad|>" in before)


def filled_after_images(pipe: object, tokenizer: Any, options: Mapping[str, Any]) -> Template:
    """Return the template of Qwen-Image-Edit-Plus, which puts its images between the template and the prompt."""
    return replace(filled_template(pipe, tokenizer, options), from_end=True)


def _kept(pipe: object, *names: str) -> Any:
    """Return what a pipeline, or a block of a modular one, keeps under one of `names`."""
    found = (getattr(holder, name) for holder in (pipe, *_blocks(pipe)) for name in names if hasattr(holder, name))
    kept = next(found, None)
    if kept is None:
        raise UnsupportedPipeline(
            f"Expected a pipeline that says how it writes a prompt ({' or '.join(names)}), got {type(pipe).__name__}. "
            "Pass a heedful.prompts.Prompt with the token indices of your own text."
        )
    return kept


def _blocks(pipe: object) -> Iterator[Any]:
    """Yield the blocks of a modular pipeline, inner ones after the one that holds them."""
    waiting = list(getattr(getattr(pipe, "_blocks", None), "sub_blocks", {}).values())
    while waiting:
        block = waiting.pop(0)
        yield block
        waiting = [*getattr(block, "sub_blocks", {}).values(), *waiting]


def instructed(pipe: object, tokenizer: Any, options: Mapping[str, Any]) -> Template:
    """Return the template of Sana: an instruction, of which the denoiser sees the first and the last token alone."""
    lines = option(pipe, "complex_human_instruction", options)
    if not lines:
        return NO_TEMPLATE
    before = "\n".join(lines)
    return Template(before, dropped=(1, len(tokenizer.encode(before)) - 1))


def system_prompt(pipe: Any, tokenizer: Any, options: Mapping[str, Any]) -> Template:
    """Return the template of Lumina 2."""
    system = option(pipe, "system_prompt", options)
    return Template(f"{pipe.system_prompt if system is None else system} <Prompt Start> ")
