"""OWLv2 finds the concepts, and a CLIP names their colours: GenEval's protocol with another detector.

Numbers cannot be compared with those of GenEval's own detector.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from PIL import Image
from transformers import CLIPTokenizer, Owlv2ForObjectDetection, Owlv2ImageProcessorPil

from heedful.guidance import MapHistory
from heedful.models import find_device
from heedful.prompts import Prompt
from heedful.scores.boxes import Part, crop, intersection_over_union
from heedful.scores.embedding import Embedder, cosine, load_embedder
from heedful.scores.hub import image_pixels, load_network, load_processor
from heedful.scores.score import Figure, Score, Values, check_prompts

OWL = "google/owlv2-base-patch16-ensemble"
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray")
"""GenEval's ten, and gray, which Attend-and-Excite's prompts ask for."""
COLOUR_SENTENCES = (
    "a photo of a {colour} {noun}",
    "a photo of a {colour}-colored {noun}",
    "a photo of a {colour} object",
)


@dataclass(frozen=True, kw_only=True)
class OwlBoxes:
    """Boxes by OWLv2 (Minderer et al. 2023), which finds what a text names.

    Each noun is asked as "a photo of a NOUN"; a box belongs to the noun that it answers best. It keeps boxes surer
    than `threshold` that overlap no surer one of their noun by more than `max_overlap`.
    """

    model: str = OWL
    """Hub id or folder of an Owlv2ForObjectDetection."""
    threshold: float = 0.3
    """GenEval's number, made for another detector."""
    max_overlap: float = 0.5
    """Intersection over union; GenEval's detector removes doubles by itself."""
    device: str = "auto"

    def __call__(self, images: Sequence[Image.Image], prompts: Sequence[Prompt]) -> list[dict[str, list[Part]]]:
        """Return the boxes of each concept's noun in each image, surest first."""
        return [
            {noun: [part for _, part in parts] for noun, parts in self.find(image, prompt).items()}
            for image, prompt in zip(images, prompts, strict=True)
        ]

    @torch.no_grad()
    def find(self, image: Image.Image, prompt: Prompt) -> dict[str, list[tuple[float, Part]]]:
        """Return confidence in [0, 1] and box of what is found for each concept's noun, surest first."""
        nouns = list(dict.fromkeys(concept.noun for concept in prompt.concepts))
        if not nouns:
            return {}
        network = load_network(Owlv2ForObjectDetection, self.model, find_device(self.device))
        tokenizer = load_processor(CLIPTokenizer, self.model)
        processor = load_processor(Owlv2ImageProcessorPil, self.model)
        length = network.config.text_config.max_position_embeddings
        texts = tokenizer(
            [f"a photo of a {noun}" for noun in nouns],
            padding="max_length", truncation=True, max_length=length, return_tensors="pt",
        ).to(network.device)  # fmt: skip
        pixels = image_pixels(Owlv2ImageProcessorPil, self.model, [image], network.device)
        answer = network(input_ids=texts.input_ids, attention_mask=texts.attention_mask, pixel_values=pixels)
        (found,) = processor.post_process_object_detection(
            answer, threshold=self.threshold, target_sizes=[(image.height, image.width)]
        )
        kept: dict[str, list[tuple[float, Part]]] = {noun: [] for noun in nouns}
        order = found["scores"].argsort(descending=True, stable=True).tolist()
        for index in order:
            part = _share(found["boxes"][index].tolist(), image)
            mine = kept[nouns[int(found["labels"][index])]]
            if all(intersection_over_union(part, other) <= self.max_overlap for _, other in mine):
                mine.append((float(found["scores"][index]), part))
        return kept


@dataclass(frozen=True, kw_only=True)
class OwlScore(Score):
    """Whether every concept is found, as often as the prompt names it, and in its colour (Ghosh et al. 2023).

    The colour of a box is the one whose sentences its crop resembles most, by a CLIP (`colour_model`), among the
    eleven of `COLOURS`; it is asked of the surest boxes of a noun whose concept has a modifier among them. GenEval also
    blanks the background out by the detector's masks, which OWLv2 does not have. None for a prompt without concepts;
    `colour` is None if the prompt names no colour.
    """

    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="success", says="objects and colours are as asked for"),
        Figure(name="objects", says="every concept is found"),
        Figure(name="colour", says="every concept with a colour is found in it; 0 also if it is not found"),
        Figure(
            name="confidence",
            says="confidence of the surest box of the concept that is found least surely; 0 if one is not found",
        ),
    )
    citations: ClassVar[tuple[str, ...]] = ("minderer2023owlv2", "ghosh2023geneval", "radford2021clip")

    name: str = "owl"
    boxes: OwlBoxes = OwlBoxes()
    """The detector and its thresholds."""
    colour_model: str | None = "openai/clip-vit-large-patch14"
    """Hub id or folder of the CLIPModel that names colours, GenEval's; None is the embedded world's."""

    def __call__(
        self, images: Sequence[Image.Image], prompts: Sequence[Prompt], maps: MapHistory | None = None
    ) -> Values:
        """Return success, objects, colour and confidence of each image."""
        check_prompts(images, prompts)
        values: Values = {figure.name: [] for figure in self.figures}
        for image, prompt in zip(images, prompts, strict=True):
            for figure, value in self._verdict(image, prompt).items():
                values[figure].append(value)
        return values

    def _verdict(self, image: Image.Image, prompt: Prompt) -> dict[str, float | None]:
        found = self.boxes.find(image, prompt)
        if not found:
            return dict.fromkeys(figure.name for figure in self.figures)
        wanted = Counter(concept.noun for concept in prompt.concepts)
        surest = {noun: parts[: wanted[noun]] for noun, parts in found.items()}
        has_all = all(len(surest[noun]) == count for noun, count in wanted.items())
        colours = self._has_colours(
            image, prompt, {noun: [part for _, part in parts] for noun, parts in surest.items()}
        )
        return {
            "success": float(has_all and colours is not False),
            "objects": float(has_all),
            "colour": None if colours is None else float(colours),
            "confidence": min(parts[-1][0] for parts in surest.values()) if has_all else 0.0,
        }

    def _has_colours(self, image: Image.Image, prompt: Prompt, surest: dict[str, list[Part]]) -> bool | None:
        """Return whether each colour that the prompt names is seen as often, among the surest boxes of its noun."""
        wanted: dict[str, Counter[str]] = {}
        for concept in prompt.concepts:
            for modifier in concept.modifiers:
                if colour_word(modifier.text) in COLOURS:
                    wanted.setdefault(concept.noun, Counter())[colour_word(modifier.text)] += 1
        if not wanted:
            return None
        embedder = load_embedder(self.colour_model, self.boxes.device)
        return all(
            Counter(name_colour(embedder, crop(image, part), noun) for part in surest[noun]) >= colours
            for noun, colours in wanted.items()
        )


def name_colour(embedder: Embedder, image: Image.Image, noun: str) -> str:
    """Return the colour whose sentences an image of a `noun` resembles most."""
    vector = embedder.images([image])[0]
    return max(
        COLOURS,
        key=lambda colour: cosine(
            vector, embedder.text(tuple(each.format(colour=colour, noun=noun) for each in COLOUR_SENTENCES))
        ),
    )


def colour_word(word: str) -> str:
    """Return a modifier as `COLOURS` spells it."""
    return word.lower().replace("grey", "gray")


def _share(box: Sequence[float], image: Image.Image) -> Part:
    left, top, right, bottom = box
    return left / image.width, top / image.height, right / image.width, bottom / image.height
