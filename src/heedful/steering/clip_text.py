"""What CLIP makes of a text, by the pipeline's own `encode_prompt`: of the prompt, and of what an edit asks for."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from heedful.attention import find_denoiser, layout_of, uncompiled
from heedful.errors import SettingsError, UnsupportedPipeline
from heedful.prompts import Prompt
from heedful.steering.text_edit import Text

_AT_ONCE = 32
"""Texts that are encoded together."""
_KINDS = (
    (CLIPTextModel,),  # Stable Diffusion 1 and 2
    (CLIPTextModel, CLIPTextModelWithProjection),  # SDXL
    (CLIPTextModelWithProjection, CLIPTextModelWithProjection),  # Stable Diffusion 3, beside T5
)
"""First and second text encoder of the pipelines whose text can be edited."""


def has_clip_text(pipe: Any) -> bool:
    """Return whether CLIP reads the text of `pipe`: Stable Diffusion 1, 2 and 3, and SDXL."""
    kinds = tuple(type(encoder) for encoder in _encoders(pipe))
    denoiser = find_denoiser(pipe)
    has_place = denoiser is not None and layout_of(denoiser).text == ("encoder_hidden_states",)
    return kinds in _KINDS and has_place and hasattr(pipe, "encode_prompt")


def check_text(pipe: Any) -> None:
    """Raise `UnsupportedPipeline` unless CLIP reads the text of `pipe`."""
    if not has_clip_text(pipe):
        raise UnsupportedPipeline(
            "Expected a pipeline whose text is edited where CLIP reads it (Stable Diffusion 1 and 2, SDXL, Stable "
            f"Diffusion 3 and 3.5, the embedded models), with its text encoders and encode_prompt, got "
            f"{type(pipe).__name__}. Take a method without an edit of the text."
        )


class ClipTexts:
    """Reads texts as a pipeline that `check_text` admits has read the prompt; each text is encoded once."""

    def __init__(self, pipe: Any, encode_prompt: Callable[..., Any], manner: Mapping[str, Any]):
        """`manner` are the arguments of `encode_prompt` that change what it makes of a text, as the run had them."""
        self._pipe = pipe
        self._encode_prompt = encode_prompt
        self._manner = {"device": pipe._execution_device} | {k: v for k, v in manner.items() if v is not None}
        self._channels = sum(encoder.config.hidden_size for encoder in _encoders(pipe))
        self._tokens: int = pipe.tokenizer.model_max_length
        self._read: dict[str, Text] = {}

    @property
    def is_joint(self) -> bool:
        """Whether both of its CLIPs have a projection, as those of Stable Diffusion 3."""
        return isinstance(_encoders(self._pipe)[0], CLIPTextModelWithProjection)

    def __call__(self, texts: Sequence[str]) -> list[Text]:
        """Return what CLIP makes of texts in which nouns are marked."""
        new = [text for text in dict.fromkeys(texts) if text not in self._read]
        for start in range(0, len(new), _AT_ONCE):
            some = new[start : start + _AT_ONCE]
            prompts = [Prompt.parse(text, self._pipe.tokenizer) for text in some]
            self._read.update(zip(some, self._encoded(prompts), strict=True))
        return [self._read[text] for text in texts]

    def of(self, prompt: Prompt, states: Tensor, pooled: Tensor | None) -> Text:
        """Return what CLIP made of `prompt`, from the (token, channel) that the denoiser gets of it.

        Raises `SettingsError` for text in several chunks, and for a concept that CLIP has cut off.
        """
        if states.shape[0] < self._tokens or (not self.is_joint and states.shape[0] > self._tokens):
            raise SettingsError(
                f"Expected a text of {self._tokens} tokens, padding included, for an edit of it, got embeddings of "
                f"{states.shape[0]}. Shorten the prompt, or take a method without an edit of the text."
            )
        nouns = tuple(self._kept(concept.token_indices) for concept in prompt.concepts)
        if not all(nouns):
            lost = prompt.concepts[nouns.index(())].name
            raise SettingsError(
                f"Expected each concept among the {self._tokens} tokens that CLIP reads, got {lost!r} beyond them. "
                "Shorten the prompt, or take a method without an edit of the text."
            )
        own = states[: self._tokens, : self._channels].float()
        return Text(
            own,
            None if pooled is None else pooled.float(),
            nouns,
            prompt.end,
            tuple(self._kept(concept.spoken) for concept in prompt.concepts),
            tuple(f"[{concept.written}]" for concept in prompt.concepts),
        )

    def _kept(self, tokens: Sequence[int]) -> tuple[int, ...]:
        return tuple(index for index in tokens if index < self._tokens)

    def put(self, text: Text, states: Tensor) -> Tensor:
        """Return the (token, channel) that the denoiser gets, with the states of `text` in the place of CLIP's."""
        new = states.clone()
        new[: self._tokens, : self._channels] = text.states.to(new)
        return new

    def _encoded(self, prompts: Sequence[Prompt]) -> list[Text]:
        asked: dict[str, Any] = {
            "prompt": [prompt.text for prompt in prompts],
            "prompt_2": None,
            # the states of T5 are not asked for, so it gets one empty token
            "prompt_3": [""] * len(prompts),
            "max_sequence_length": 1,
            "num_images_per_prompt": 1,
            "do_classifier_free_guidance": False,
            **self._manner,
        }
        known = inspect.signature(self._encode_prompt).parameters
        with torch.no_grad():
            found = self._encode_prompt(**{name: value for name, value in asked.items() if name in known})
        pooled = found[2] if len(found) == 4 else [None] * len(prompts)
        return [self.of(*each) for each in zip(prompts, found[0], pooled, strict=True)]


def _encoders(pipe: Any) -> list[Any]:
    """Return the first and the second text encoder of `pipe`, those that there are."""
    found = (getattr(pipe, name, None) for name in ("text_encoder", "text_encoder_2"))
    return [uncompiled(encoder) for encoder in found if encoder is not None]
