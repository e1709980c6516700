"""BLIP's caption of an image against its prompt, text against text, as Attend-and-Excite measures it.

A caption names what it sees, so a concept that was neglected is missing in it; what the caption skips for brevity
counts the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from PIL import Image
from transformers import BertTokenizer, BlipForConditionalGeneration, BlipImageProcessorPil

from heedful.guidance import MapHistory
from heedful.models import find_device
from heedful.prompts import Prompt
from heedful.scores.clip import B16, TextScore
from heedful.scores.embedding import cosine
from heedful.scores.hub import image_pixels, load_network, load_processor
from heedful.scores.score import Figure, Values, check_prompts
from heedful.scores.templates import Templates, spoken


@dataclass(frozen=True, kw_only=True)
class BlipCaption(TextScore):
    """CLIP's cosine of the caption that BLIP gives an image and the image's prompt (Chefer et al. 2023).

    As published, the prompt goes through the 80 templates and the caption through none. The defaults of the search are
    those of the library that the published code calls, lengths including the words that the caption begins with.
    """

    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="text", low=-1.0, says="cosine of the image's caption and prompt"),
    )
    citations: ClassVar[tuple[str, ...]] = ("li2022blip", "radford2021clip", "chefer2023attend")

    name: str = "blip-caption"
    captioner: str = "Salesforce/blip-image-captioning-base"
    """Hub id or folder of a BlipForConditionalGeneration."""
    begin: str = "a picture of"
    """How each caption begins; not part of what is compared."""
    beams: int = 3
    shortest: int = 10
    longest: int = 30
    """Length of the caption in tokens."""
    model: str | None = B16
    templates: Templates = "imagenet"

    def __call__(
        self, images: Sequence[Image.Image], prompts: Sequence[Prompt], maps: MapHistory | None = None
    ) -> Values:
        """Return the cosine of caption and prompt for each image."""
        check_prompts(images, prompts)
        return {
            "text": [
                cosine(self.embedder().text((caption,)), self.embed(spoken(prompt.text)))
                for caption, prompt in zip(self.captions(images), prompts, strict=True)
            ]
        }

    @torch.no_grad()
    def captions(self, images: Sequence[Image.Image]) -> list[str]:
        """Return what BLIP says of each image, without the words that it was made to begin with."""
        if not images:
            return []
        network = load_network(BlipForConditionalGeneration, self.captioner, find_device(self.device))
        tokenizer = load_processor(BertTokenizer, self.captioner)
        begin = tokenizer([self.begin] * len(images), return_tensors="pt").to(network.device)
        written = network.generate(
            pixel_values=image_pixels(BlipImageProcessorPil, self.captioner, images, network.device),
            input_ids=begin.input_ids,
            attention_mask=begin.attention_mask,
            num_beams=self.beams,
            do_sample=False,
            min_length=self.shortest,
            max_length=self.longest,
        )
        begun = begin.input_ids.shape[1] - 1  # the end token of the beginning is cut off before it is continued
        return [text.strip() for text in tokenizer.batch_decode(written[:, begun:], skip_special_tokens=True)]
