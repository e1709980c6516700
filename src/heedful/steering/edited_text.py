"""The edited text of one run, in every call of its denoiser."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from heedful.attention import full_precision
from heedful.prompts import Prompt
from heedful.steering.call import Call
from heedful.steering.clip_text import ClipTexts
from heedful.steering.text_edit import TextEdit

Row = tuple[Tensor, Tensor | None]
"""What the denoiser gets of one prompt: its states (token, channel), and its pooled embedding (width), if any."""


@dataclass(frozen=True, eq=False)
class _Compared:
    """A tensor of states that was compared with the text of the run, and in which rows it is that text.

    Pipelines pass the same tensor in every step. Whoever asks an accelerator whether two texts are equal waits for all
    that it has to do before.
    """

    states: Tensor
    version: int | None
    is_own: Bool[Tensor, "row"]
    rows: tuple[bool, ...]
    """`is_own` where Python can read it without waiting."""

    def holds(self, states: Tensor) -> bool:
        """Whether `states` are the tensor that was compared, into which nothing was written since."""
        return states is self.states and self.version is not None and _version(states) == self.version


class EditedText:
    """The text of the images of a run, before and after an edit.

    Every row with the text of an image's condition gets the edited one, in whichever call it stands: a third row per
    image (perturbed attention) too, an unconditional row only where the negative prompt is that very text.
    """

    def __init__(self, edit: TextEdit, call: Call, prompts: Sequence[Prompt], texts: ClipTexts):
        """Edit the text of `call`, the first of a run, whose images have `prompts`. Equal prompts are edited once."""
        states, pooled = _text_of(call.arguments)
        before: list[Row] = [(states[row], None if pooled is None else pooled[row]) for row in call.conditional_rows]
        after: list[Row] = []
        for item, (prompt, row) in enumerate(zip(prompts, before, strict=True)):
            same = next(
                (other for other in range(item) if prompts[other] == prompt and _equal(before[other], row)), None
            )
            after.append(_edited(edit, prompt, row, texts) if same is None else after[same])
        self._before = torch.stack([each for each, _ in before])
        self._states = torch.stack([each for each, _ in after])
        vectors = [each for _, each in after if each is not None]
        self._pooled = torch.stack(vectors) if vectors else None
        self._compared: _Compared | None = None
        self._has_warned = False

    @property
    def shift(self) -> tuple[float, ...]:
        """For each image, the length of what was added to its text's states over their length."""
        before, after = self._before.float().flatten(1), self._states.float().flatten(1)
        return tuple(((after - before).norm(dim=1) / before.norm(dim=1)).tolist())

    def put(self, call: Call, *, is_first: bool) -> Call:
        """Return `call` with the edited text; `is_first` says whether it is the first of its step.

        Warns once if such a call has another text than the run began with, which stays as it is.
        """
        states, pooled = _text_of(call.arguments)
        if self._compared is None or not self._compared.holds(states):
            is_own = self._own_rows(call, states)
            self._compared = _Compared(states, _version(states), is_own, tuple(is_own.tolist()))
        is_own, rows = self._compared.is_own, self._compared.rows
        if is_first and not all(rows[row] for row in call.conditional_rows) and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                "The text of this run is another one in a later step, which is not edited. Leave the prompt as it is "
                "while the pipeline runs, or take a method without an edit of the text.",
                UserWarning,
                stacklevel=2,
            )
        if not any(rows):
            return call
        copies = call.batch // len(self._before)
        states = torch.where(is_own[:, None, None], self._states.repeat(copies, 1, 1), states)
        if pooled is not None and self._pooled is not None:
            pooled = torch.where(is_own[:, None], self._pooled.repeat(copies, 1), pooled)
        return replace(call, arguments=_with_text(call.arguments, states, pooled))

    def _own_rows(self, call: Call, states: Tensor) -> Bool[Tensor, "row"]:
        """Return for each row whether it has the text of an image's condition; each copy has one row per image."""
        if states.shape[1:] != self._before.shape[1:]:
            return states.new_zeros(call.batch, dtype=torch.bool)
        expected = self._before.repeat(call.batch // len(self._before), 1, 1)
        return (states == expected).flatten(1).all(1)


def _edited(edit: TextEdit, prompt: Prompt, row: Row, texts: ClipTexts) -> Row:
    """Return the row of `prompt` after an edit; the same if it has fewer than two concepts."""
    if edit.idle_for(prompt):
        return row
    states, pooled = row
    with torch.no_grad(), full_precision(states.device.type):
        found = edit.edited(texts.of(prompt, states, pooled), [concept.noun for concept in prompt.concepts], texts)
    return texts.put(found, states), None if pooled is None or found.pooled is None else found.pooled.to(pooled)


def _version(tensor: Tensor) -> int | None:
    """Return a number that changes when something is written into `tensor`; None where torch does not count that."""
    return None if tensor.is_inference() else tensor._version


def _equal(one: Row, other: Row) -> bool:
    return all(
        mine is theirs or (mine is not None and theirs is not None and mine.equal(theirs))
        for mine, theirs in zip(one, other, strict=True)
    )


def _text_of(arguments: dict[str, Any]) -> tuple[Float[Tensor, "row token channel"], Tensor | None]:
    """Return states and pooled embeddings in the arguments of a denoiser's call."""
    given = arguments.get("added_cond_kwargs") or {}
    return arguments["encoder_hidden_states"], arguments.get("pooled_projections", given.get("text_embeds"))


def _with_text(arguments: dict[str, Any], states: Tensor, pooled: Tensor | None) -> dict[str, Any]:
    """Return the arguments of a call with other text."""
    new = arguments | {"encoder_hidden_states": states}
    if arguments.get("pooled_projections") is not None:
        return new | {"pooled_projections": pooled}
    given = arguments.get("added_cond_kwargs") or {}
    return new | {"added_cond_kwargs": given | {"text_embeds": pooled}} if "text_embeds" in given else new
