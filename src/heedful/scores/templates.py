"""The sentences that a text is put into before a CLIP reads it, and what is removed from it.

The 80 templates are those that CLIP's authors published for ImageNet (Radford et al. 2021), which Attend-and-Excite
averages over.
"""

import re
from typing import Literal

Templates = Literal["plain", "imagenet"]
"""The text as it is; the text in each of the 80 templates."""

_WITH_A_AND_THE = (
    "{} {{}} in a video game", "{} cartoon {{}}", "{} embroidered {{}}", "{} origami {{}}", "{} plastic {{}}",
    "{} plushie {{}}", "{} toy {{}}", "a bad photo of {} {{}}", "a black and white photo of {} {{}}",
    "a blurry photo of {} {{}}", "a bright photo of {} {{}}", "a close-up photo of {} {{}}",
    "a cropped photo of {} {{}}", "a dark photo of {} {{}}", "a doodle of {} {{}}", "a drawing of {} {{}}",
    "a good photo of {} {{}}", "a jpeg corrupted photo of {} {{}}", "a low resolution photo of {} {{}}",
    "a painting of {} {{}}", "a photo of {} clean {{}}", "a photo of {} cool {{}}", "a photo of {} dirty {{}}",
    "a photo of {} hard to see {{}}", "a photo of {} large {{}}", "a photo of {} nice {{}}", "a photo of {} small {{}}",
    "a photo of {} weird {{}}", "a photo of {} {{}}", "a pixelated photo of {} {{}}", "a rendering of {} {{}}",
    "a rendition of {} {{}}", "a sculpture of {} {{}}", "a sketch of {} {{}}", "a tattoo of {} {{}}", "art of {} {{}}",
    "graffiti of {} {{}}", "itap of {} {{}}",
)  # fmt: skip
_ALONE = ("a photo of many {}.", "a photo of my {}.", "a photo of one {}.", "itap of my {}.")

IMAGENET: tuple[str, ...] = (
    *(f"{stem.format(article)}." for stem in _WITH_A_AND_THE for article in ("a", "the")),
    *_ALONE,
)
"""38 sentences with "a" and with "the", and four more."""

_PLACEHOLDER = re.compile(r"<[^<>\s]+>\s*")


def sentences(text: str, templates: Templates) -> tuple[str, ...]:
    """Return `text` alone, or in each of the 80 templates as Attend-and-Excite's code does it.

    It shortens "a a" to "a" and then "the a" to "a" wherever they stand, so that the prompt's own article is not
    doubled. That also eats the article in "a apple", as in the published numbers.
    """
    if templates == "plain":
        return (text,)
    return tuple(template.format(text).replace("a a", "a").replace("the a", "a") for template in IMAGENET)


def spoken(text: str) -> str:
    """Return `text` without placeholder tokens such as `<cat1>`, which a CLIP never learnt."""
    return " ".join(_PLACEHOLDER.sub("", text).split())


def halves(text: str) -> tuple[str, ...]:
    """Return the parts of a prompt between " and ", or else between " with "; the prompt itself if it has neither.

    So does Attend-and-Excite's code, which takes the first two parts, and skips a prompt that has only one.
    """
    return tuple(part for part in text.split(" and " if " and " in text else " with ") if part.strip()) or (text,)
