"""BLIP asked about each phrase of the prompt, as T2I-CompBench does: "a blue clock?"

Because a question names the attribute together with its
noun, this sees leakage, which a CLIP's cosine hardly does.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor
from transformers import BertTokenizer, BlipForQuestionAnswering, BlipImageProcessorPil

from heedful.guidance import MapHistory
from heedful.models import find_device
from heedful.prompts import Prompt
from heedful.scores.hub import image_pixels, load_network, load_processor
from heedful.scores.score import Figure, Score, Values, check_prompts
from heedful.scores.templates import spoken

_ARTICLES = r"(?:(?:an|a|the)\s+)?"


@dataclass(frozen=True, kw_only=True)
class BlipVQA(Score):
    """Product over the prompt's concepts of P(yes) / (P(yes) + P(no)) to the question "CONCEPT?" (Huang et al. 2023).

    The question is the concept's phrase with its article, as it stands in the prompt. The probabilities are those of
    the answer's first token. T2I-CompBench finds its phrases by spaCy (ours: `Prompt.concepts`), and shows 480x480
    pixels (ours: what the model's own processor says). None for a prompt without concepts.
    """

    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="yes", says="product over the concepts of the probability that BLIP says yes to them"),
        Figure(
            name="yes_min", says="the smallest of these probabilities, which does not fall with the number of concepts"
        ),
    )
    citations: ClassVar[tuple[str, ...]] = ("huang2023t2icompbench", "li2022blip")

    name: str = "blip-vqa"
    model: str = "Salesforce/blip-vqa-capfilt-large"
    """Hub id or folder of a BlipForQuestionAnswering."""
    device: str = "auto"

    def __call__(
        self, images: Sequence[Image.Image], prompts: Sequence[Prompt], maps: MapHistory | None = None
    ) -> Values:
        """Return the product and the minimum of P(yes) over the concepts of each image's prompt."""
        check_prompts(images, prompts)
        values: Values = {"yes": [], "yes_min": []}
        for image, prompt in zip(images, prompts, strict=True):
            asked = questions(prompt)
            sure = self._sure(image, asked) if asked else []
            values["yes"].append(prod(sure) if sure else None)
            values["yes_min"].append(min(sure) if sure else None)
        return values

    @torch.no_grad()
    def _sure(self, image: Image.Image, asked: list[str]) -> list[float]:
        """Return how sure the answer yes is to each question."""
        network = load_network(BlipForQuestionAnswering, self.model, find_device(self.device))
        tokenizer = load_processor(BertTokenizer, self.model)
        pixels = image_pixels(BlipImageProcessorPil, self.model, [image], network.device)
        seen = network.vision_model(pixel_values=pixels).last_hidden_state
        yes, no = tokenizer.convert_tokens_to_ids(["yes", "no"])
        sure: list[float] = []
        for question in asked:  # one by one: transformers 5.23 lets the answer look at the padding of shorter ones
            words = tokenizer([question], truncation=True, max_length=35, return_tensors="pt").input_ids
            logits = _answer(network, seen, words.to(network.device))
            sure.append(float(logits[[yes, no]].double().softmax(0)[0]))
        return sure


def questions(prompt: Prompt) -> list[str]:
    """Return one question for each concept: its phrase with the article that stands before it, if one does."""
    text = spoken(prompt.text)
    asked: list[str] = []
    for concept in prompt.concepts:
        name = spoken(concept.name)
        found = re.search(rf"\b{_ARTICLES}{re.escape(name)}\b", text, re.IGNORECASE)
        asked.append(f"{found.group() if found else name}?")
    return asked


def _answer(
    network: Any, seen: Float[Tensor, "1 patch width"], question: Int[Tensor, "1 word"]
) -> Float[Tensor, "token"]:
    """Return the logits of the first token of the answer to a question about an image."""
    config = network.config.text_config
    question = question.clone()
    question[:, 0] = config.vocab_size - 1  # BLIP's [ENC], which says that an image is looked at, is its last token
    asked = network.text_encoder(input_ids=question, encoder_hidden_states=seen).last_hidden_state
    begin = torch.full((1, 1), config.bos_token_id, device=seen.device)
    return network.text_decoder(input_ids=begin, encoder_hidden_states=asked).logits[0, 0]
