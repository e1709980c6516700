"""The words of the embedded world: what it can show, in which colours, and the prompts it is judged on."""

from functools import cache
from pathlib import Path

import numpy as np

ANIMALS = ("bear", "bird", "cat", "dog", "elephant", "frog", "horse", "lion", "monkey", "mouse", "rabbit", "turtle")
OBJECTS = (
    "apple", "backpack", "balloon", "bench", "bow", "bowl", "car", "chair", "clock", "crown", "glasses", "suitcase",
)  # fmt: skip
CLASSES = ANIMALS + OBJECTS
COLOURS = ("black", "blue", "brown", "gray", "green", "orange", "pink", "purple", "red", "white", "yellow")
BACKGROUNDS = ("blue", "gray", "green", "pink", "purple", "white", "yellow")

FUNCTION_WORDS = (
    "a", "an", "the", "and", "with", "on", "in", "of", "near", "beside", "photo", "picture", "background",
)  # fmt: skip
WORDS = FUNCTION_WORDS + CLASSES + COLOURS

SPLIT_SEED = 2026
_PROMPTS = Path(__file__).parent / "data" / "attend_and_excite.txt"


@cache
def two_concept_prompts() -> tuple[str, ...]:
    """The 276 prompts of the Attend-and-Excite benchmark (66 animal-animal, 144 animal-object, 66 object-object).

    The colours are the fixed public draw, not drawn again. Source: Chefer et al., SIGGRAPH 2023, arXiv 2301.13826.
    """
    return tuple(_PROMPTS.read_text(encoding="utf-8").splitlines())


def single_concept_prompts() -> tuple[str, ...]:
    """156 prompts: the 24 plain classes and the 12 objects in each of 11 colours."""
    plain = tuple(f"a {name}" for name in CLASSES)
    return plain + tuple(f"a {colour} {name}" for name in OBJECTS for colour in COLOURS)


def prompt_kind(prompt: str) -> str:
    """`single`, `animal-animal`, `animal-object` or `object-object`, by the classes that the prompt names."""
    kinds = ["animal" if word in ANIMALS else "object" for word in prompt.split() if word in CLASSES]
    return "-".join(sorted(kinds)) if len(kinds) > 1 else "single"


def split_prompts() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The 276 two-concept prompts as a development and a report half, shuffled by the stated seed 2026."""
    prompts = two_concept_prompts()
    order = np.random.default_rng(SPLIT_SEED).permutation(len(prompts))
    half = len(prompts) // 2
    return tuple(prompts[i] for i in order[:half]), tuple(prompts[i] for i in order[half:])


def three_concept_prompts(count: int = 60) -> tuple[str, ...]:
    """Prompts with three concepts, drawn with the stated seed 3: "a cat and a blue clock and a red car"."""
    rng = np.random.default_rng(3)
    prompts: list[str] = []
    while len(prompts) < count:
        names = [str(name) for name in rng.choice(ANIMALS + OBJECTS, 3, replace=False)]
        phrases = [f"a {name}" if name in ANIMALS else f"a {rng.choice(COLOURS)} {name}" for name in names]
        prompts.append(" and ".join(phrases))
    return tuple(prompts)


def split_three_concept_prompts() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The three-concept prompts as a development half, the first 30, and a report half; each prompt once."""
    prompts = tuple(dict.fromkeys(three_concept_prompts()))
    return prompts[:30], prompts[30:]
