"""TEBOpt (Chen et al., NeurIPS 2024, arXiv 2410.00321): each noun of the text is made to stand as if it were alone.

CLIP reads from left to right, so the state of a later noun holds those before it. Before the run, the states of the
text are moved by Adam until each noun is as it is in a prompt of its own, and unlike the other words. Written from the
formulas of the paper, in the form in which the authors of DOS compare with it on SDXL: the paper has variants for start
token and padding; here the text between start and end token alone is moved.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from heedful.errors import SettingsError
from heedful.steering import EMBEDDED, Method, ReadTexts, Settings, Text, TextEdit, marked


@dataclass(frozen=True, kw_only=True)
class BalancedText(TextEdit):
    """States c that Adam moves down L = -L_pos + L_neg   (TEBOpt, section 4).

    L_pos = min over concepts k and tokens t of T_k of cos(c_t, p_k),
    L_neg = 1 / (K (m - 1)) sum over k, t of T_k and j = 1 .. m - 1 that are not of T_k of cos(c_t, c_j).

    T_k are the tokens of the noun of concept k of K, m is the position of the end token, p_k the mean state of the noun
    in a prompt of its own. Start token, end token, padding, the pooled embedding and what T5 reads stay as they are.
    """

    citations: ClassVar = ("chen2024tebopt",)

    alone: str = "a photo of a {noun}"
    """The prompt in which a noun stands alone."""
    learning_rate: float = 0.01
    steps: int = 20
    """Steps of Adam, at most. None is made once all three of the following hold."""
    low_enough: float = -0.7
    """L is at most this,"""
    own_enough: float = 0.95
    """L_pos is at least this,"""
    apart_enough: float = 0.25
    """and L_neg is at most this."""

    def __post_init__(self) -> None:
        if "{noun}" not in self.alone or self.learning_rate < 0 or self.steps < 0:
            raise SettingsError(
                f"Expected a prompt with {{noun}} in it and no negative learning rate or number of steps, got {self}."
            )

    def edited(self, text: Text, nouns: Sequence[str], read: ReadTexts) -> Text:
        """Return `text` with moved states."""
        alone = read([self.alone.format(noun=marked(noun)) for noun in nouns])
        with torch.inference_mode(False), torch.enable_grad():  # copies, for what inference mode made has no gradient
            own = torch.stack([each.noun() for each in alone]).clone()
            states = text.states.clone().requires_grad_()
            optimizer = torch.optim.Adam([states], lr=self.learning_rate)
            for _ in range(self.steps):
                positive, negative = self.terms(replace(text, states=states), own)
                loss = negative - positive
                if loss <= self.low_enough and positive >= self.own_enough and negative <= self.apart_enough:
                    break
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        return replace(text, states=states.detach())

    def terms(self, text: Text, own: Float[Tensor, "concept channel"]) -> tuple[Tensor, Tensor]:
        """Return L_pos and L_neg of `text`, where `own` are the states p of the nouns; each in [-1, 1] or near it."""
        between = text.states[1 : text.end]
        positive: list[Tensor] = []
        negative = text.states.new_zeros(())
        for tokens, alone in zip(text.nouns, own, strict=True):
            noun = text.states[list(tokens)]
            positive.append(F.cosine_similarity(noun, alone[None], dim=-1))
            others = [index - 1 for index in range(1, text.end) if index not in tokens]
            negative = negative + F.cosine_similarity(noun[:, None], between[others][None], dim=-1).sum()
        return torch.cat(positive).min(), negative / (len(text.nouns) * (text.end - 1))


TEBOPT = Method(
    name="tebopt",
    loss=None,
    settings=Settings(text_edit=BalancedText()),
    embedded=replace(EMBEDDED, text_edit=BalancedText(alone="a {noun}")),
)
"""TEBOpt's numbers as published.

- The embedded models know "a cat" alone, not "a photo of a cat".
- No gradient passes through the denoiser, so a run costs what it costs without guidance.
- Published for Stable Diffusion 1; DOS compares with it on SDXL. On Stable Diffusion 3, what CLIP reads is moved.
"""
